/*
 * Stands in ided-fetch's place and belongs to an attacker: says to auth, message by
 * message, what is in the file "say" beside it; four bytes of length before each.
 */
#include <sys/socket.h>

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FD_PARENT 3

int
main(void)
{
	static char message[65536];
	char path[PATH_MAX + 8];
	uint32_t len;
	ssize_t n;
	FILE *f;

	n = readlink("/proc/self/exe", path, PATH_MAX);
	if (n <= 0)
		return 1;
	path[n] = '\0';
	strcpy(strrchr(path, '/') + 1, "say");
	if ((f = fopen(path, "r")) == NULL)
		return 1;
	while (fread(&len, sizeof(len), 1, f) == 1 && len <= sizeof(message) &&
	    fread(message, 1, len, f) == len)
		if (send(FD_PARENT, message, len, MSG_NOSIGNAL) == -1)
			return 1;
	return 0;
}
