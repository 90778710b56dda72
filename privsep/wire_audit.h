/*
 * What messages carry of the audit trail: its records, questions about them, and its
 * key's word for them.  A part of wire.h.
 */
#ifndef PRIVSEP_WIRE_AUDIT_H
#define PRIVSEP_WIRE_AUDIT_H

#include <stdint.h>

/* M_KEY_FILE: a file of the audit trail's key, which isolation opens. */
struct m_key_file {
	uint32_t which; /* enum wire_key_file */
	uint32_t pad;
};
enum wire_key_file {
	KEY_FILE_AUDIT = 1,  /* the key of its checkpoints */
	KEY_FILE_AUDIT_PUB,  /* its public half, for people */
	KEY_FILE_AUDIT_LAST, /* the last checkpoint signed */
};

/* M_AUDIT_SIGN, M_AUDIT_SIGNED: a checkpoint of the audit trail (audit_sign.h). */
#define WIRE_HASH256    32
#define WIRE_ED25519    32
#define WIRE_ED25519SIG 64
struct m_audit_sign {
	uint64_t seq; /* of the last record */
	int64_t time; /* milliseconds since the epoch */
	uint8_t hash[WIRE_HASH256];
};
struct m_audit_signed {
	struct m_audit_sign what;
	uint64_t last;   /* seq of the last one signed */
	uint32_t result; /* enum wire_audit_sign */
	uint32_t pad;
	uint8_t key[WIRE_ED25519]; /* public half */
	uint8_t sig[WIRE_ED25519SIG];
};
enum wire_audit_sign {
	AUDIT_SIGN_OK = 1,
	AUDIT_SIGN_OLDER, /* than one that was signed */
	AUDIT_SIGN_FAILED,
};

/* M_AUDIT_QUERY, M_CTL_AUDIT_QUERY: records that fit all that is set. */
#define WIRE_AUDIT_CURSOR 88
#define WIRE_AUDIT_TEXT   128
#define WIRE_AUDIT_ROWS   1000
struct m_audit_query {
	char cursor[WIRE_AUDIT_CURSOR]; /* where the page before ended; "" at first */
	char user[WIRE_EMAIL + 1];      /* who did it, or whom it is about */
	char event[WIRE_EVENT];         /* all that begin so, when it ends with a dot */
	char source[48];
	char outcome[16];
	char text[WIRE_AUDIT_TEXT]; /* somewhere in it, in whatever case */
	int64_t from;               /* milliseconds since the epoch */
	uint64_t after;             /* oldest first: from the record after this one on */
	int64_t to;                 /* 0: no end */
	uint32_t limit;             /* rows; 0: 50 */
	uint32_t oldest_first;
	uint32_t follow; /* oldest first: wait for more at the end */
	uint32_t pad;
};
/* M_ROW_AUDIT_PAGE: after the rows. */
struct m_audit_page {
	char cursor[WIRE_AUDIT_CURSOR]; /* "" when there can be nothing more */
	uint32_t rows;
	uint32_t end; /* of the trail, as it is now */
};
/* M_AUDIT_WHERE: what idectl needs to verify the trail itself. */
#define WIRE_AUDIT_PATH 1104
struct m_audit_where {
	char data[WIRE_AUDIT_PATH]; /* `data' of the configuration; "" when nothing is
				       audited */
	char file[WIRE_AUDIT_PATH]; /* "" when there is none */
	uint64_t first;
	uint64_t head;
	uint8_t hash[WIRE_HASH256];
};

/* M_AUDIT_ROTATE: the day that the file is of, since the epoch. */
struct m_audit_rotate {
	int64_t day;
};

/*
 * One record of the audit trail (audit_record.h); M_ROW_AUDIT.  detail holds
 * len bytes: name, NUL, 's' or 'n' (a string, a number), value, NUL, and so on.
 */
#define WIRE_AUDIT_ACTOR  64
#define WIRE_AUDIT_DETAIL 1536
struct m_audit {
	uint64_t seq;
	int64_t time; /* milliseconds since the epoch, of the wall clock */
	char event[WIRE_EVENT];
	char outcome[16];
	char actor[WIRE_AUDIT_ACTOR];
	char source[48];
	char user[WIRE_EMAIL];
	char session[WIRE_SESSION];
	char rid[WIRE_RID];
	char pad[7];
	char agent[WIRE_AGENT];
	uint32_t len;
	uint32_t pad2;
	char detail[WIRE_AUDIT_DETAIL];
	uint8_t prev[WIRE_HASH256];
	uint8_t hash[WIRE_HASH256];
};

#endif
