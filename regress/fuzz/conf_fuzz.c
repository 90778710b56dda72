/*
 * Any bytes as configuration.  What stands before the first NUL, if there is
 * one, is the value of a variable and of a macro too.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "privsep/conf.h"
#include "fuzz.h"

static struct conf conf;

/* One error is one line, and none is without its place and its reason. */
static void
collect(void *arg, const char *line)
{
	int *n = arg;

	(*n)++;
	if (strpbrk(line, "\r\n") != NULL || strstr(line, ": expected ") == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "IDED_LISTEN=", "IDED_LOG=",
		"IDED_AUTH_SESSION=", "IDED_ISOLATION_MEMORY=", "IDED_DATA=", "IDED_",
		"IDED_HEADERS=", "IDED_COMPRESSION=", "IDED_IDE_ARGUMENT=" };
	const size_t nnames = sizeof(names) / sizeof(names[0]);
	const uint8_t *nul = size == 0 ? NULL : memchr(data, '\0', size);
	char *var = NULL, *envp[2] = { NULL, NULL };
	struct conf_define def = { "m", NULL };
	size_t len, value;
	int n = 0, ret;

	if (nul != NULL) {
		value = (size_t)(nul - data);
		len = strlen(names[value % nnames]);
		if ((var = malloc(len + value + 1)) == NULL)
			return 0;
		memcpy(var, names[value % nnames], len);
		memcpy(var + len, data, value + 1);
		envp[0] = var;
		def.value = var + len;
		size -= value + 1;
		data = nul + 1;
	}
	ret = conf_parse_buf(&conf, "fuzz", (const char *)data, size, &def, nul != NULL,
	    envp, collect, &n);
	if (ret != n || conf.nlisten > CONF_LISTEN_MAX ||
	    conf.nlocation > CONF_LOCATION_MAX || conf.nineffect > CONF_INEFFECT_MAX)
		abort();
	free(var);
	return 0;
}
