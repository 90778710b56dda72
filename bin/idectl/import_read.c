/*
 * code-server's config.yaml: one mapping of options to scalars or to lists of them,
 * with libyaml; and its environment variables.  See import.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "idectl.h"
#include "import.h"

#define FILE_MAX (1024 * 1024)

static const char *file;
static bool wrong;

static void error_at(size_t line, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
error_at(size_t line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%zu: ", file, line + 1);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	wrong = true;
}

static int
option_find(const char *name, size_t len)
{
	int i;

	for (i = 0; import_options[i].name != NULL; i++)
		if (strlen(import_options[i].name) == len &&
		    memcmp(import_options[i].name, name, len) == 0)
			break;
	/* What is a variable alone is no option. */
	if (import_options[i].name == NULL ||
	    (import_options[i].env != NULL &&
		strcmp(import_options[i].env, import_options[i].name) == 0))
		return -1;
	return i;
}

/* What can stand in a line of ided.conf. */
static bool
text_ok(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return false;
	return len < IMPORT_TEXT;
}

static void
value_add(struct import_value *v, const char *s, size_t len)
{
	char *text = strndup(s, len);

	if (text == NULL)
		die("out of memory");
	v->text[v->n++] = text;
}

static void
value_clear(struct import_value *v)
{
	while (v->n > 0) {
		v->n--;
		explicit_bzero(v->text[v->n], strlen(v->text[v->n]));
		free(v->text[v->n]);
	}
	v->set = false;
}

static void
scalar(const yaml_node_t *n, const char *name, struct import_value *v)
{
	const char *s = (const char *)n->data.scalar.value;
	size_t len = n->data.scalar.length;

	if (!text_ok(s, len))
		error_at(n->start_mark.line, "%s: expected one line of at most %d bytes",
		    name, IMPORT_TEXT - 1);
	else if (v->n == IMPORT_LIST)
		error_at(
		    n->start_mark.line, "%s: more than %d values", name, IMPORT_LIST);
	else
		value_add(v, s, len);
}

/* Plain false and null, as code-server has it: the option is off. */
static bool
is_off(const yaml_node_t *n)
{
	static const char *const words[] = { "false", "null", "~", "" };
	size_t i;

	if (n->type != YAML_SCALAR_NODE ||
	    n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp((const char *)n->data.scalar.value, words[i]) == 0)
			return true;
	return false;
}

static void
pair(yaml_document_t *doc, const yaml_node_pair_t *p, struct import_value *values)
{
	const yaml_node_t *k = yaml_document_get_node(doc, p->key);
	const yaml_node_t *v = yaml_document_get_node(doc, p->value);
	const yaml_node_t *one;
	const yaml_node_item_t *item;
	const char *name;
	int i;

	if (k == NULL || v == NULL || k->type != YAML_SCALAR_NODE) {
		error_at(k != NULL ? k->start_mark.line : 0, "expected an option's name");
		return;
	}
	name = (const char *)k->data.scalar.value;
	if ((i = option_find(name, k->data.scalar.length)) == -1) {
		/* It may be a user's file, and this a terminal. */
		error_at(k->start_mark.line, "code-server has no option \"%.64s\"",
		    text_ok(name, k->data.scalar.length) ? name : "...");
		return;
	}
	if (values[i].set || values[i].n > 0) {
		error_at(k->start_mark.line, "%s: it is there twice", name);
		return;
	}
	if (is_off(v))
		return;
	values[i].set = true;
	if (v->type == YAML_SCALAR_NODE) {
		scalar(v, name, &values[i]);
		return;
	}
	if (v->type != YAML_SEQUENCE_NODE) {
		error_at(v->start_mark.line, "%s: expected a value or a list", name);
		return;
	}
	for (item = v->data.sequence.items.start; item < v->data.sequence.items.top;
	     item++) {
		one = yaml_document_get_node(doc, *item);
		if (one == NULL || one->type != YAML_SCALAR_NODE)
			error_at(
			    v->start_mark.line, "%s: expected a list of values", name);
		else
			scalar(one, name, &values[i]);
	}
}

static void
document(yaml_document_t *doc, struct import_value *values)
{
	const yaml_node_t *root = yaml_document_get_root_node(doc);
	const yaml_node_pair_t *p;

	if (root == NULL)
		return; /* an empty file: the defaults */
	if (root->type != YAML_MAPPING_NODE) {
		error_at(root->start_mark.line, "expected \"option: value\" lines");
		return;
	}
	for (p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++)
		pair(doc, p, values);
}

bool
import_read(const char *path, struct import_value values[IMPORT_OPTIONS])
{
	yaml_parser_t parser;
	yaml_document_t doc;
	FILE *fp;

	file = path;
	if ((fp = fopen(path, "re")) == NULL)
		die("%s: %s", path, strerror(errno));
	if (fseek(fp, 0, SEEK_END) == -1 || ftell(fp) > FILE_MAX)
		die("%s: not a file of at most 1 MB", path);
	rewind(fp);
	if (!yaml_parser_initialize(&parser))
		die("out of memory");
	yaml_parser_set_input_file(&parser, fp);
	if (!yaml_parser_load(&parser, &doc)) {
		error_at(parser.problem_mark.line, "not YAML: %s",
		    parser.problem != NULL ? parser.problem : "it cannot be read");
	} else {
		document(&doc, values);
		yaml_document_delete(&doc);
	}
	yaml_parser_delete(&parser);
	fclose(fp);
	return !wrong;
}

/* Variables come before the file; of the flags among them, "1" and "true" count. */
bool
import_environment(struct import_value values[IMPORT_OPTIONS])
{
	const struct import_option *o;
	const char *s;
	int i;

	file = "environment";
	for (i = 0; import_options[i].name != NULL; i++) {
		o = &import_options[i];
		if (o->env == NULL || (s = getenv(o->env)) == NULL || *s == '\0')
			continue;
		/* What it says is not looked at. */
		if (o->how == IMPORT_NOTHING) {
			values[i].set = true;
			continue;
		}
		if (!text_ok(s, strlen(s))) {
			error_at(0, "%s: expected one line of at most %d bytes", o->env,
			    IMPORT_TEXT - 1);
			continue;
		}
		if (strncmp(o->env, "CS_DISABLE_", 11) == 0 && strcmp(s, "1") != 0 &&
		    strcmp(s, "true") != 0)
			continue;
		value_clear(&values[i]);
		values[i].set = true;
		value_add(&values[i], s, strlen(s));
	}
	return !wrong;
}
