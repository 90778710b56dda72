/*
 * The 10,000 commonest passwords: common-passwords, in lower case and in the order of
 * their bytes, a line each (common-passwords.license says where they come from).
 */
#ifndef AUTH_COMMON_H
#define AUTH_COMMON_H

#include <stdbool.h>
#include <stddef.h>

#define COMMON_ENDS 8 /* signs that make no common password another one */

/* In whatever case. */
bool common_listed(const char *s, size_t len);
/* On the list, or there but for less than COMMON_ENDS digits and signs at its ends. */
bool common_password(const char *password);

#endif
