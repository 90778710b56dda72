/* The message table as data: see msg.h. */
#include "msg.h"

#define M_ROW_(n, f, t, s, ...) [M_##n] = { #n, (f), (t), (s), M_REST_(__VA_ARGS__) },
#define M_REST_(min, max, fd)   (fd), (min), (max)

const struct msg_row msg_table[M_MAX] = { MSG_TABLE(M_ROW_) };

#define M_FITS_(n, f, t, s, ...) M_FITS2_(n, __VA_ARGS__)
#define M_FITS2_(n, min, max, fd)                                                        \
	_Static_assert((min) <= (max) && (max) <= MSG_PAYLOAD_MAX,                       \
	    "M_" #n " does not fit a message");
MSG_TABLE(M_FITS_)

const char *
msg_name(unsigned int type)
{
	if (type == M_NONE || type >= M_MAX)
		return "unknown";
	return msg_table[type].name;
}

const char *
proc_name(enum proc p)
{
	switch (p) {
	case P_MASTER:
		return "master";
	case P_ZYGOTE:
		return "zygote";
	case P_WORKER:
		return "worker";
	case P_AUTH:
		return "auth";
	case P_HASH:
		return "hash";
	case P_KEYS:
		return "keys";
	case P_ISOLATION:
		return "isolation";
	case P_SESSION:
		return "ide-session";
	case P_CTL:
		return "idectl";
	case P_FETCH:
		return "fetch";
	}
	return "unknown";
}
