/*
 * What the site has set of the looks of its pages: colours at the end of the style
 * sheet, a logo, words on the page of the login.  Made ready before the fork.
 */
#ifndef WORKER_BRAND_H
#define WORKER_BRAND_H

#include "../privsep/confsend.h"
#include "www.h"

void brand_prepare(const struct conf_for_worker *conf);
/* The site's own file of this name; NULL: there is none. */
const struct www_file *brand_file(const char *name);
/* What welcomes people; "": nothing. */
const char *brand_welcome(void);

#endif /* WORKER_BRAND_H */
