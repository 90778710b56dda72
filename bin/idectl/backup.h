/* backup.c, restore.c: what follows the command's word; the exit status. */
#ifndef IDECTL_BACKUP_H
#define IDECTL_BACKUP_H

int backup_run(const char *socket, int argc, char **argv);
int restore_run(int argc, char **argv);

#endif
