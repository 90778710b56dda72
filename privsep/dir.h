/* Folders that are read: a descriptor that fdopendir(3) does not take is closed. */
#ifndef PRIVSEP_DIR_H
#define PRIVSEP_DIR_H

#include <dirent.h>

/* The entries of fd, which is taken over; -1 is NULL.  errno says why. */
DIR *dir_take(int fd);
/* Those of a folder that stays open, from the first on. */
DIR *dir_entries(int dir);

#endif
