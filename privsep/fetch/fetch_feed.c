/* The newest release in a feed: what GitHub says of one, or the like of it. */
#include <jansson.h>

#include <string.h>

#include <bsd/string.h>

#include "fetch.h"

static const char *
string(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s == NULL || *s == '\0' ? NULL : s;
}

static const char *
version_of(const json_t *o, char version[SEMVER_MAX])
{
	const char *s;

	if (!json_is_object(o))
		return "it is no object of JSON";
	if (json_is_true(json_object_get(o, "draft")))
		return "it is a draft";
	if ((s = string(o, "tag_name")) == NULL && (s = string(o, "name")) == NULL)
		return "it has no tag_name and no name";
	if (*s == 'v')
		s++;
	if (!semver_ok(s))
		return "its tag_name is no version such as 1.2.3";
	strlcpy(version, s, SEMVER_MAX);
	return NULL;
}

const char *
fetch_feed(const char *json, size_t len, char version[SEMVER_MAX])
{
	const char *why;
	json_t *o;

	version[0] = '\0';
	if (len == 0 || len > FETCH_BODY_MAX)
		return "it is empty or too large";
	o = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	why = version_of(o, version);
	json_decref(o);
	return why;
}
