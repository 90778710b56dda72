/* Values that people write: see idectl.h. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>
#include <jansson.h>

#include "idectl.h"

/* "512M", "200%", "none" */
static uint64_t
limit_value(const char *s)
{
	unsigned long long v;
	unsigned int shift;
	char *end;

	if (strcmp(s, "none") == 0)
		return 0;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (end == s || *s < '0' || *s > '9' || errno != 0)
		die("%s: a number was expected, or none", s);
	switch (*end) {
	case 'K':
		shift = 10;
		break;
	case 'M':
		shift = 20;
		break;
	case 'G':
		shift = 30;
		break;
	case 'T':
		shift = 40;
		break;
	default:
		shift = 0;
		if (*end == '%')
			end++;
		break;
	}
	if (shift > 0)
		end++;
	if (*end != '\0' || v > UINT64_MAX >> shift || v == 0)
		die("%s: a number was expected, with K, M, G or T behind it", s);
	return (uint64_t)v << shift;
}

static uint32_t
limit_value32(const char *s)
{
	uint64_t v = limit_value(s);

	if (v > UINT32_MAX)
		die("%s: too large", s);
	return (uint32_t)v;
}

void
limit_set(struct m_account_limits *m, const char *arg)
{
	const char *eq = strchr(arg, '=');
	struct wire_limits *l = &m->limits;
	size_t n = eq != NULL ? (size_t)(eq - arg) : 0;

	if (n == 6 && strncmp(arg, "memory", n) == 0) {
		l->memory = limit_value(eq + 1);
		m->set |= LIMIT_MEMORY;
	} else if (n == 7 && strncmp(arg, "storage", n) == 0) {
		l->storage = limit_value(eq + 1);
		m->set |= LIMIT_STORAGE;
	} else if (n == 5 && strncmp(arg, "files", n) == 0) {
		l->files = limit_value(eq + 1);
		m->set |= LIMIT_FILES;
	} else if (n == 3 && strncmp(arg, "cpu", n) == 0) {
		l->cpu = limit_value32(eq + 1);
		m->set |= LIMIT_CPU;
	} else if (n == 9 && strncmp(arg, "processes", n) == 0) {
		l->processes = limit_value32(eq + 1);
		m->set |= LIMIT_PROCESSES;
	} else if (n == 8 && strncmp(arg, "sessions", n) == 0) {
		l->sessions = limit_value32(eq + 1);
		m->set |= LIMIT_SESSIONS;
	} else {
		die("%s: memory, storage, files, cpu, processes or sessions was "
		    "expected, and = behind it",
		    arg);
	}
}

void
metadata_set(char metadata[WIRE_METADATA], const char *arg)
{
	json_t *o = json_loads(arg, JSON_REJECT_DUPLICATES, NULL);
	char *text;

	if (!json_is_object(o))
		die("metadata is one JSON object, as {\"team\":\"a\"}");
	if ((text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS)) == NULL)
		die("out of memory");
	if (strlcpy(metadata, text, WIRE_METADATA) >= WIRE_METADATA)
		die("metadata has at most %d bytes", WIRE_METADATA - 1);
	free(text);
	json_decref(o);
}

uint32_t
port_value(const char *s)
{
	unsigned long v = 0;

	if (*s != '\0' && strlen(s) <= 5 && strspn(s, "0123456789") == strlen(s))
		v = strtoul(s, NULL, 10);
	if (v == 0 || v > UINT16_MAX)
		die("%s: a port was expected, from 1 to 65535", s);
	return (uint32_t)v;
}

uint64_t
period_value(const char *s)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	unsigned long v;
	char *end;
	size_t i;

	errno = 0;
	v = strtoul(s, &end, 10);
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (*s >= '0' && *s <= '9' && errno == 0 && v > 0 && v <= UINT32_MAX &&
		    end[0] == units[i].unit && end[1] == '\0')
			return (uint64_t)v * units[i].seconds;
	die("%s: 30m, 12h, 30d and so on was expected", s);
}
