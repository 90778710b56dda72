/*
 * Permissions, roles, and what each message needs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../privsep/permission.h"

static const struct role more[] = {
	{ "auditor", PERMIT(PERMISSION_AUDIT_READ) | PERMIT(PERMISSION_USERS_READ) },
	{ "helper", PERMIT(PERMISSION_USERS_MANAGE) },
};

static void
names(void **state)
{
	unsigned int p;

	(void)state;
	for (p = 1; p < PERMISSION_MAX; p++) {
		const char *name = permission_table[p].name;

		assert_int_equal(permission_find(name, strlen(name)), p);
		assert_int_equal(permission_find(name, strlen(name) - 1), 0);
		assert_true(strlen(permission_table[p].what) > 0);
	}
	assert_int_equal(permission_find("", 0), PERMISSION_NOBODY);
	assert_int_equal(permission_find("users.rea", 9), PERMISSION_NOBODY);
}

static void
sets(void **state)
{
	static const char *const bad[] = { " ", "users.read ", " users.read",
		"users.read  users.manage", "users.read users.read", "users",
		"users.read,users.manage", "*" };
	char text[PERMITS_TEXT];
	permits set;
	size_t i;

	(void)state;
	assert_true(permits_parse("", &set));
	assert_true(set == 0);
	assert_true(permits_parse("users.read audit.read", &set));
	assert_true(
	    set == (PERMIT(PERMISSION_USERS_READ) | PERMIT(PERMISSION_AUDIT_READ)));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(permits_parse(bad[i], &set));
	permits_text(PERMIT_ALL, text, sizeof(text));
	assert_true(strlen(text) < sizeof(text) - 1);
	assert_true(permits_parse(text, &set));
	assert_true(set == PERMIT_ALL);
}

static void
lists(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} t[] = { { "user", true }, { "admin auditor", true }, { "", false },
		{ " user", false }, { "user ", false }, { "a  b", false },
		{ "a a", false }, { "Admin", false }, { "a b c d e f g h", true },
		{ "a b c d e f g h i", false }, { "1a", false },
		{ "abcdefghijklmnopqrstuvwxyz0123456", false },
		{ "abcdefghijklmnopqrstuvwxyz012345", true } };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (roles_ok(t[i].text) != t[i].ok)
			fail_msg("roles \"%s\"", t[i].text);
}

static void
roles(void **state)
{
	permits own = PERMIT(PERMISSION_ACCOUNT_OWN);

	(void)state;
	assert_true(roles_permit(more, 2, "admin") == PERMIT_ALL);
	assert_true(roles_permit(more, 2, "user") ==
	    (own | PERMIT(PERMISSION_IDE_USE) | PERMIT(PERMISSION_PORTS_SHARE) |
		PERMIT(PERMISSION_LOCATION_USE)));
	assert_true(roles_permit(more, 2, "auditor") == (own | more[0].permit));
	assert_true(roles_permit(more, 2, "auditor helper") ==
	    (own | more[0].permit | more[1].permit));
	/* One that was taken out of the configuration permits nothing. */
	assert_true(roles_permit(NULL, 0, "auditor") == own);
	assert_false(roles_permit(more, 2, "operator") & PERMIT(PERMISSION_USERS_MANAGE));
	assert_true(roles_permit(more, 2, "operator") & PERMIT(PERMISSION_IMAGES_MANAGE));
	/* The built-in ones are not to be defined anew. */
	assert_ptr_equal(role_find(more, 2, "admin"), &roles_builtin[0]);
	assert_null(role_find(more, 2, "nobody"));
}

/* The whole matrix: each message against each permission alone. */
static void
access_matrix(void **state)
{
	const struct access_row *row;
	unsigned int m, p, rows = 0;
	bool ok;

	(void)state;
	for (m = 0; m < M_MAX + 10; m++) {
		row = access_row((enum msg_type)m);
		if (m >= M_MAX || (msg_table[m].from & (P_WORKER | P_CTL)) == 0 ||
		    (msg_table[m].to & P_AUTH) == 0) {
			assert_null(row);
			assert_false(access_ok((enum msg_type)m, PERMIT_ALL, false));
			continue;
		}
		assert_non_null(row);
		rows++;
		for (p = 1; p < PERMISSION_MAX; p++) {
			ok = row->permission == PERMISSION_NOBODY || row->permission == p;
			assert_int_equal(
			    access_ok((enum msg_type)m, PERMIT(p), false), ok);
			assert_int_equal(access_ok((enum msg_type)m, PERMIT(p), true),
			    ok && (row->flags & A_CHANGING) != 0);
		}
		/* Whom nobody knows is in no state to say anything else; who is known
		 * leaves, and is at work, whatever its token is limited to; who was
		 * let in to a shared port has that, whoever it is. */
		if (m == M_LOGOUT || m == M_BEAT || m == M_HOLD || m == M_SHARE_PORT ||
		    m == M_SHARE_SIGN)
			assert_false(msg_table[m].state & S_NEW);
		else if (row->permission == PERMISSION_NOBODY)
			assert_true(msg_table[m].state & S_NEW);
		else if (msg_table[m].from & P_WORKER)
			assert_false(msg_table[m].state & S_NEW);
	}
	assert_true(rows > 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(sets),
		cmocka_unit_test(lists),
		cmocka_unit_test(roles),
		cmocka_unit_test(access_matrix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
