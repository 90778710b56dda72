/*
 * A code-server's configuration, which may be a user's: YAML.  What is taken of it are
 * lines that fit, at most so many of an option, and none of an option twice.
 */
#include <sys/mman.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../bin/idectl/import.c"
#include "../../bin/idectl/import_read.c"
#include "fuzz.h"

void
die(const char *fmt, ...)
{
	(void)fmt;
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char path[32];
	static int fd = -1;
	bool ok;
	int i, k;

	if (fd == -1) {
		check((fd = memfd_create("import", MFD_CLOEXEC)) != -1);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		check((stderr = fopen("/dev/null", "we")) != NULL);
	}
	check(ftruncate(fd, 0) == 0 && pwrite(fd, data, len, 0) == (ssize_t)len);
	wrong = false;
	ok = import_read(path, values);
	check(ok == !wrong);
	for (i = 0; import_options[i].name != NULL; i++) {
		check(values[i].n <= IMPORT_LIST);
		check(values[i].set || values[i].n == 0);
		for (k = 0; k < (int)values[i].n; k++)
			check(text_ok(values[i].text[k], strlen(values[i].text[k])));
		value_clear(&values[i]);
	}
	return 0;
}
