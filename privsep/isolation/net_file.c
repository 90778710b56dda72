/* Tables of addresses that stand in files: one address a line, and comments. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net.h"

#define BYTES_MAX (16 << 20)
#define LIST_MAX  262144 /* addresses of one file */

void
net_file_free(struct net_list *list)
{
	free(list->prefix);
	list->prefix = NULL;
	list->n = 0;
}

/* As with other files of the configuration: nobody else writes it. */
static FILE *
file_open(const char *path, char *err, size_t errlen)
{
	struct stat st;
	FILE *f;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1 || fstat(fd, &st) == -1) {
		snprintf(err, errlen, "%s", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		snprintf(err, errlen, "is not a regular file");
	} else if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		snprintf(err, errlen,
		    "owner %u, mode %04o; only root may write to it: "
		    "chown root and chmod go-w",
		    (unsigned int)st.st_uid, st.st_mode & 07777U);
	} else if (st.st_size > BYTES_MAX) {
		snprintf(err, errlen, "is larger than %d bytes", BYTES_MAX);
	} else {
		if ((f = fdopen(fd, "r")) != NULL)
			return f;
		snprintf(err, errlen, "%s", strerror(errno));
	}
	if (fd != -1)
		close(fd);
	return NULL;
}

static int
add(struct net_list *list, size_t *room, const struct conf_prefix *p)
{
	struct conf_prefix *more;

	if (list->n == *room) {
		*room = *room == 0 ? 256 : *room * 2;
		more = reallocarray(list->prefix, *room, sizeof(*more));
		if (more == NULL)
			return -1;
		list->prefix = more;
	}
	list->prefix[list->n++] = *p;
	return 0;
}

/* The address of a line without its comment, NULL where there is none. */
static char *
word(char *line)
{
	char *s = line + strspn(line, " \t\r\n");

	line[strcspn(line, "#")] = '\0';
	if (s >= line + strlen(line))
		return NULL;
	s[strcspn(s, "\r\n")] = '\0';
	while (s[0] != '\0' && strchr(" \t", s[strlen(s) - 1]) != NULL)
		s[strlen(s) - 1] = '\0';
	return s[0] != '\0' ? s : NULL;
}

static int
read_lines(FILE *f, struct net_list *out, char *err, size_t errlen)
{
	size_t room = 0, size = 0;
	char *line = NULL, *s;
	struct conf_prefix p;
	unsigned int n = 0;
	const char *why;
	int r = 0;

	while (r == 0 && getline(&line, &size, f) != -1) {
		n++;
		if ((s = word(line)) == NULL)
			continue;
		if ((why = conf_prefix_parse(s, &p)) != NULL) {
			snprintf(err, errlen,
			    "line %u: expected an address such as "
			    "192.0.2.0/24, got \"%.48s\"%s%s",
			    n, s, why[0] != '\0' ? "; " : "", why);
			r = -1;
		} else if (out->n == LIST_MAX) {
			snprintf(err, errlen, "has more than %d addresses", LIST_MAX);
			r = -1;
		} else if (add(out, &room, &p) == -1) {
			snprintf(err, errlen, "out of memory");
			r = -1;
		}
	}
	if (r == 0 && ferror(f)) {
		snprintf(err, errlen, "%s", strerror(errno));
		r = -1;
	}
	free(line);
	return r;
}

int
net_file_read(const char *path, struct net_list *out, char *err, size_t errlen)
{
	char why[256];
	FILE *f;
	int r;

	memset(out, 0, sizeof(*out));
	f = file_open(path, why, sizeof(why));
	r = f == NULL ? -1 : read_lines(f, out, why, sizeof(why));
	if (f != NULL)
		fclose(f);
	if (r == -1) {
		net_file_free(out);
		snprintf(err, errlen, "table file \"%s\": %s", path, why);
	}
	return r;
}
