/*
 * The chunked transfer coding.  See chunk.h.
 *
 * A state machine: a byte at a time for what is between the data, memmove for
 * the data itself.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "chunk.h"
#include "http1.h"
#include "../privsep/hex.h"

enum {
	ST_SIZE,     /* digits, then ';' or CR */
	ST_EXT_NAME, /* token, then '=', ';' or CR; at least one byte: */
	ST_EXT_NAME0,
	ST_EXT_VALUE, /* token, then ';' or CR; at least one byte, or '"': */
	ST_EXT_VALUE0,
	ST_EXT_QUOTED, /* until '"' */
	ST_EXT_PAIR,   /* after '\' */
	ST_EXT_END,    /* after the closing '"' */
	ST_SIZE_LF,
	ST_DATA,
	ST_DATA_CR,
	ST_DATA_LF,
	ST_LINE, /* trailer: start of a line */
	ST_NAME,
	ST_VALUE,
	ST_LINE_LF,
	ST_LAST_LF,
	ST_DONE,
	ST_ERROR,
};

#define X(name, status, reason) { status, reason },
static const struct {
	int status;
	const char *reason;
} errors[CHUNK_E_MAX] = { CHUNK_ERRORS(X) };
#undef X

int
chunk_error_status(enum chunk_error e)
{
	return (e < CHUNK_E_MAX ? errors[e].status : 400);
}

const char *
chunk_error_reason(enum chunk_error e)
{
	return (e < CHUNK_E_MAX ? errors[e].reason : "unknown error");
}

void
chunk_init(struct chunk *c, uint64_t max)
{
	memset(c, 0, sizeof(*c));
	c->max = max < INT64_MAX ? max : INT64_MAX;
}

static bool
is_token(char b)
{
	return (http_is_token((struct slice){ &b, 1 }));
}

static bool
is_value(char b)
{
	return (http_is_value((struct slice){ &b, 1 }));
}

static enum chunk_error
size_byte(struct chunk *c, char b)
{
	int digit = hex_digit(b);

	if (digit >= 0) {
		/* 16 digits fill the 64 bits and do not overflow them. */
		if (++c->digits > CHUNK_DIGITS_MAX)
			return (CHUNK_E_SIZE_BIG);
		c->left = c->left << 4 | (uint64_t)digit;
		return (CHUNK_E_NONE);
	}
	if (c->digits == 0 || (b != '\r' && b != ';'))
		return (CHUNK_E_SIZE);
	if (c->left > INT64_MAX)
		return (CHUNK_E_SIZE_BIG);
	if (c->left > c->max - c->total)
		return (CHUNK_E_BODY_BIG);
	c->ext = 0;
	c->state = b == ';' ? ST_EXT_NAME0 : ST_SIZE_LF;
	return (CHUNK_E_NONE);
}

/* What may follow a whole extension. */
static enum chunk_error
ext_end(struct chunk *c, char b)
{
	if (b != ';' && b != '\r')
		return (CHUNK_E_EXT);
	c->state = b == ';' ? ST_EXT_NAME0 : ST_SIZE_LF;
	return (CHUNK_E_NONE);
}

static enum chunk_error
ext_byte(struct chunk *c, char b)
{
	if (++c->ext > CHUNK_EXT_MAX || ++c->exts > CHUNK_EXTS_MAX)
		return (CHUNK_E_EXT_LONG);
	switch (c->state) {
	case ST_EXT_NAME0:
	case ST_EXT_NAME:
		if (is_token(b))
			c->state = ST_EXT_NAME;
		else if (c->state == ST_EXT_NAME0)
			return (CHUNK_E_EXT);
		else if (b == '=')
			c->state = ST_EXT_VALUE0;
		else
			return (ext_end(c, b));
		return (CHUNK_E_NONE);
	case ST_EXT_VALUE0:
	case ST_EXT_VALUE:
		if (is_token(b))
			c->state = ST_EXT_VALUE;
		else if (c->state == ST_EXT_VALUE)
			return (ext_end(c, b));
		else if (b == '"')
			c->state = ST_EXT_QUOTED;
		else
			return (CHUNK_E_EXT);
		return (CHUNK_E_NONE);
	case ST_EXT_QUOTED:
	case ST_EXT_PAIR:
		if (!is_value(b))
			return (CHUNK_E_EXT);
		if (c->state == ST_EXT_PAIR)
			c->state = ST_EXT_QUOTED;
		else if (b == '\\')
			c->state = ST_EXT_PAIR;
		else if (b == '"')
			c->state = ST_EXT_END;
		return (CHUNK_E_NONE);
	default:
		return (ext_end(c, b));
	}
}

static enum chunk_error
trailer_byte(struct chunk *c, char b)
{
	if (++c->trailer > CHUNK_TRAILER_MAX)
		return (CHUNK_E_TRAILER_LONG);
	switch (c->state) {
	case ST_LINE:
		if (b == '\r')
			c->state = ST_LAST_LF;
		else if (is_token(b))
			c->state = ST_NAME;
		else
			return (CHUNK_E_TRAILER);
		return (CHUNK_E_NONE);
	case ST_NAME:
		if (b == ':')
			c->state = ST_VALUE;
		else if (!is_token(b))
			return (CHUNK_E_TRAILER);
		return (CHUNK_E_NONE);
	case ST_VALUE:
		if (b == '\r')
			c->state = ST_LINE_LF;
		else if (!is_value(b))
			return (CHUNK_E_TRAILER);
		return (CHUNK_E_NONE);
	default:
		if (b != '\n')
			return (CHUNK_E_TRAILER);
		c->state = c->state == ST_LINE_LF ? ST_LINE : ST_DONE;
		return (CHUNK_E_NONE);
	}
}

/* Any byte that is not data. */
static enum chunk_error
other_byte(struct chunk *c, char b)
{
	switch (c->state) {
	case ST_SIZE:
		return (size_byte(c, b));
	case ST_SIZE_LF:
		if (b != '\n')
			return (c->ext > 0 ? CHUNK_E_EXT : CHUNK_E_SIZE);
		c->state = c->left > 0 ? ST_DATA : ST_LINE;
		return (CHUNK_E_NONE);
	case ST_DATA_CR:
	case ST_DATA_LF:
		if (b != (c->state == ST_DATA_CR ? '\r' : '\n'))
			return (CHUNK_E_CRLF);
		c->state = c->state == ST_DATA_CR ? ST_DATA_LF : ST_SIZE;
		c->digits = 0;
		return (CHUNK_E_NONE);
	case ST_LINE:
	case ST_NAME:
	case ST_VALUE:
	case ST_LINE_LF:
	case ST_LAST_LF:
		return (trailer_byte(c, b));
	default:
		return (ext_byte(c, b));
	}
}

enum chunk_result
chunk_decode(struct chunk *c, char *buf, size_t *len, size_t *out)
{
	size_t in = 0, n;

	*out = 0;
	while (in < *len && c->state != ST_DONE && c->state != ST_ERROR) {
		if (c->state != ST_DATA) {
			c->error = other_byte(c, buf[in++]);
			if (c->error != CHUNK_E_NONE)
				c->state = ST_ERROR;
			continue;
		}
		n = *len - in;
		if (n > c->left)
			n = (size_t)c->left;
		if (*out != in)
			memmove(buf + *out, buf + in, n);
		*out += n;
		in += n;
		c->total += n;
		if ((c->left -= n) == 0)
			c->state = ST_DATA_CR;
	}
	*len = in;
	if (c->state == ST_ERROR)
		return (CHUNK_ERROR);
	return (c->state == ST_DONE ? CHUNK_DONE : CHUNK_MORE);
}

size_t
chunk_head(char out[CHUNK_HEAD_MAX], uint64_t size)
{
	size_t n = 0;
	int shift = 60;

	while (shift > 0 && size >> shift == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		out[n++] = "0123456789abcdef"[size >> shift & 0xf];
	out[n++] = '\r';
	out[n++] = '\n';
	return (n);
}
