/*
 * What the API takes: a row of its tables, a query, a name in the path and a body.
 * Whatever of it is accepted is a struct whose strings end, whose numbers are within
 * their bounds and whose words there are; nothing is written beside it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/api.h"
#include "../../worker/worker.h"
#include "fuzz.h"

static unsigned int answers;

static void
front_respond(struct stream *s, unsigned int status, const struct header *h, size_t n,
    int64_t length)
{
	(void)s;
	(void)h;
	(void)length;
	check(status == 400 && n > 0);
	answers++;
}

static void
front_write(struct stream *s, const void *data, size_t len)
{
	(void)s;
	check(len > 1 && ((const char *)data)[0] == '{');
}

static void
front_nothing(struct stream *s)
{
	(void)s;
}

static const struct stream_front front = {
	.respond = front_respond,
	.write = front_write,
	.end = front_nothing,
	.reset = front_nothing,
};

static const struct api_call *
pick(unsigned int which)
{
	size_t t, i, n = 0;

	for (t = 0; api_tables[t] != NULL; t++)
		for (i = 0; api_tables[t][i].method != 0; i++)
			n++;
	which %= n;
	for (t = 0;; t++)
		for (i = 0; api_tables[t][i].method != 0; i++)
			if (which-- == 0)
				return (&api_tables[t][i]);
}

static size_t
room(const struct api_call *call)
{
	size_t size = call->size;

	if (call->text != NULL && call->text->wanted + sizeof(uint32_t) > size)
		size = call->text->wanted + sizeof(uint32_t);
	return (size);
}

static void
sound(const struct api_call *call, const char *in, size_t size)
{
	const struct api_field *f;
	const char *at;
	uint64_t v64;
	uint32_t v, words;

	for (f = call->in; f != NULL && f->name != NULL; f++) {
		at = in + f->offset;
		check(f->offset + f->size <= size);
		switch (f->type) {
		case API_STRING:
		case API_SECRET:
		case API_NAMES:
		case API_JSON:
			check(memchr(at, '\0', f->size) != NULL);
			break;
		case API_U32:
		case API_U64:
			v64 = 0;
			memcpy(&v64, at, f->size);
			check(v64 == 0 || (v64 >= f->min && v64 <= f->max));
			break;
		case API_BOOL:
			memcpy(&v, at, sizeof(v));
			check(v <= 1);
			break;
		case API_WORD:
			memcpy(&v, at, sizeof(v));
			for (words = 0; f->words[words] != NULL; words++)
				;
			check(v < words || v == 0);
			break;
		default:
			break;
		}
	}
}

/* The next line, terminated. */
static char *
line(char **p, char *end)
{
	char *was = *p, *nl = memchr(was, '\n', (size_t)(end - was));

	if (nl == NULL)
		nl = end;
	*nl = '\0';
	*p = nl == end ? end : nl + 1;
	return (was);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct conf_for_worker conf;
	static struct stream s;
	const struct api_call *call;
	char *text, *in, *p, *query, *id;
	bool ok;

	if (len < 1 || (text = malloc(len)) == NULL)
		return (0);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	p = text;
	worker.conf = &conf;
	worker.master.self = P_WORKER;
	worker.master.peer = P_MASTER;
	worker.master.closed = true;
	worker.master.fd = -1;
	call = pick(data[0]);
	if (call->fn != NULL || call->type == M_NONE) { /* no struct */
		free(text);
		return (0);
	}
	query = line(&p, text + len - 1);
	id = line(&p, text + len - 1);
	check((in = calloc(1, room(call) > 0 ? room(call) : 1)) != NULL);
	stream_init(&s, &worker, &front, NULL);
	s.query = query[0] == '\0' ? (struct slice){ NULL, 0 } : slice_str(query);
	answers = 0;
	ok = api_path(&s, call, id, in) && api_query(&s, call, in) &&
	    api_body(&s, call, p, (size_t)(text + len - 1 - p), in);
	check(answers == !ok);
	if (ok)
		sound(call, in, room(call));
	stream_close(&s);
	free(in);
	free(text);
	return (0);
}
