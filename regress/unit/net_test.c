/*
 * The network of sandboxes: addresses, names, and the rules as text.  That the
 * kernel takes the text, and does what it says, is seen in the system tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <net/if.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "privsep/conf.h"
#include "privsep/isolation/net.h"

#define LISTEN "listen on 127.0.0.1 port 8080\n"

static struct conf conf;

static void
fails(void *arg, const char *line)
{
	(void)arg;
	fail_msg("%s", line);
}

/* The configuration whose block "isolation" has these lines. */
static void
configure(const char *lines)
{
	char *envp[] = { NULL }, text[4096];

	snprintf(text, sizeof(text), LISTEN "isolation {\n%s\n}\n", lines);
	assert_int_equal(
	    conf_parse_buf(&conf, "t", text, strlen(text), NULL, 0, envp, fails, NULL),
	    0);
}

static char *
rules(struct net_plan *plan)
{
	char *text;

	memcpy(plan->key, "k3y0", NET_KEY);
	plan->conf = &conf.net;
	text = net_rules(plan);
	assert_non_null(text);
	return text;
}

/* The lines of one chain or set, without their margins. */
static void
part(const char *text, const char *name, char *out, size_t size)
{
	char head[64];
	const char *at, *end;
	size_t n = 0;

	snprintf(head, sizeof(head), "\t%s {\n", name);
	at = strstr(text, head);
	if (at == NULL)
		fail_msg("no %s in:\n%s", name, text);
	at += strlen(head);
	end = strstr(at, "\n\t}");
	assert_non_null(end);
	for (; at <= end; at++) {
		if (*at == '\t' && (n == 0 || out[n - 1] == '\n'))
			continue;
		assert_true(n + 1 < size);
		out[n++] = *at;
	}
	out[n] = '\0';
}

static void
test_prefix(void **state)
{
	static const struct {
		const char *text;
		const char *again; /* NULL: refused */
	} rows[] = {
		{ "10/8", "10.0.0.0/8" },
		{ "172.16/12", "172.16.0.0/12" },
		{ "0/0", "0.0.0.0/0" },
		{ "1.2.3.4", "1.2.3.4" },
		{ "1.2.3.4/32", "1.2.3.4" },
		{ "::/0", "::/0" },
		{ "2001:DB8::/32", "2001:db8::/32" },
		{ "::1/128", "::1" },
		{ "10", NULL },
		{ "10.0.0/33", NULL },
		{ "10.0.0.1/8", NULL },
		{ "1.2.3.4.5", NULL },
		{ "1.2.3.4/", NULL },
		{ "1.2.3.4/-1", NULL },
		{ "1.2.3.4/8x", NULL },
		{ "1.2.3.4/99999999999999999999", NULL },
		{ "/8", NULL },
		{ "", NULL },
		{ "2001:db8::1/32", NULL },
		{ "::/129", NULL },
		{ "fe80::1%eth0", NULL },
		{ "::ffff:1.2.3.4", NULL },
		{ "01.2.3.4", NULL },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL },
	};
	struct conf_prefix p;
	char again[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].again == NULL) {
			if (conf_prefix_parse(rows[i].text, &p) == NULL)
				fail_msg("%s was taken", rows[i].text);
			continue;
		}
		if (conf_prefix_parse(rows[i].text, &p) != NULL)
			fail_msg("%s was refused", rows[i].text);
		assert_string_equal(
		    conf_prefix_text(&p, again, sizeof(again)), rows[i].again);
	}
}

static void
test_holds(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool holds;
	} rows[] = {
		{ "10/8", "10.0.0.0/8", true },
		{ "10/8", "10.255.255.255", true },
		{ "10/8", "11.0.0.0", false },
		{ "10/8", "8/5", false },
		{ "172.16/12", "172.31.0.0/16", true },
		{ "172.16/12", "172.32.0.0/16", false },
		{ "0/0", "1.2.3.4", true },
		{ "0/0", "::1", false },
		{ "::/0", "::1", true },
		{ "fc00::/7", "fd00:ec2::254", true },
		{ "fc00::/7", "fe00::", false },
		{ "::1", "::1", true },
		{ "::1", "::2", false },
	};
	struct conf_prefix a, b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_null(conf_prefix_parse(rows[i].outer, &a));
		assert_null(conf_prefix_parse(rows[i].inner, &b));
		if (conf_prefix_holds(&a, &b) != rows[i].holds)
			fail_msg("%s, %s", rows[i].outer, rows[i].inner);
	}
}

/* Each uid has its own address for as many as the network has, and no other. */
static void
test_address(void **state)
{
	static const struct {
		const char *pool;
		uint32_t uid;
		const char *address;
	} rows[] = {
		{ "100.64.0.0/10", 200000, "100.67.13.64" },
		{ "100.64.0.0/10", 265535, "100.68.13.63" },
		{ "100.64.0.0/10", 4294967293, "100.127.255.253" },
		{ "10.9.0.0/16", 200000, "10.9.13.64" },
		{ "10.9.0.0/16", 265535, "10.9.13.63" },
		{ "10.0.0.0/8", 200001, "10.3.13.65" },
		{ "fd69:6465:6400::/64", 200000, "fd69:6465:6400::3:d40" },
		{ "fd00::/96", 4294967293, "fd00::ffff:fffd" },
		{ "fd00::/8", 1, "fd00::1" },
	};
	struct conf_prefix pool, address;
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_null(conf_prefix_parse(rows[i].pool, &pool));
		net_address(&pool, rows[i].uid, &address);
		assert_string_equal(
		    conf_prefix_text(&address, text, sizeof(text)), rows[i].address);
		assert_true(conf_prefix_holds(&pool, &address));
	}
}

static void
test_names(void **state)
{
	static const uint32_t uids[] = { 0, 1000, 200000, 4294967293U };
	char a[NET_KEY + 1], b[NET_KEY + 1], name[NET_NAME], table[NET_TABLE];
	uint32_t uid;
	size_t i;

	(void)state;
	net_make_key("/run/ided", a);
	net_make_key("/run/ided2", b);
	assert_string_not_equal(a, b);
	net_make_key("/run/ided", b);
	assert_string_equal(a, b);
	assert_int_equal(strlen(a), NET_KEY);
	net_table(a, table);
	assert_int_equal(strncmp(table, "ided_", 5), 0);
	for (i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
		net_name(a, uids[i], name);
		assert_int_equal(strlen(name), 15); /* the kernel's limit */
		assert_true(net_name_uid(a, name, &uid));
		assert_int_equal(uid, uids[i]);
	}
	assert_false(net_name_uid("k3y0", name, &uid));
	assert_false(net_name_uid("k3y0", "idek3y00000zzzz", &uid));
	assert_false(net_name_uid("k3y0", "idek3y00000ABCD", &uid));
	assert_false(net_name_uid("k3y0", "idek3y0+000abcd", &uid));
	assert_false(net_name_uid("k3y0", "idek3y0", &uid));
	assert_false(net_name_uid("k3y0", "eth0", &uid));
	/* While there is no user it is nobody's. */
	net_name_spare("k3y0", 7, name);
	assert_string_equal(name, "idek3y0s0000007");
	assert_false(net_name_uid("k3y0", name, &uid));
	assert_true(net_name_uid("k3y0", "idek3y00000abcd", &uid));
}

/* What each rule of the configuration is, where packets leave the host. */
static void
test_egress(void **state)
{
	static const struct {
		const char *conf;
		const char *want;
	} rows[] = {
		/* "any" is what is outside */
		{ "egress allow to any",
		    "ip daddr != @protected4 accept\n"
		    "ip6 daddr != @protected6 accept\n" },
		{ "egress deny to any",
		    "meta nfproto ipv4 goto refuse\n"
		    "meta nfproto ipv6 goto refuse\n" },
		{ "egress deny to any port 25 tcp",
		    "meta nfproto ipv4 tcp dport 25 goto refuse\n"
		    "meta nfproto ipv6 tcp dport 25 goto refuse\n" },
		/* what is named is opened */
		{ "egress allow to 10.1.2.3", "ip daddr 10.1.2.3 accept\n" },
		{ "egress allow to 10/8 port 443 tcp",
		    "ip daddr 10.0.0.0/8 tcp dport 443 accept\n" },
		{ "egress allow to 10/8 udp",
		    "ip daddr 10.0.0.0/8 meta l4proto udp accept\n" },
		{ "egress allow to 10/8 port 8000-8080",
		    "ip daddr 10.0.0.0/8 meta l4proto { tcp, udp } th dport 8000-8080 "
		    "accept\n" },
		{ "egress allow to 198.51.100.0/24",
		    "ip daddr 198.51.100.0/24 accept\n" },
		{ "egress allow to fd00::5", "ip6 daddr fd00::5 accept\n" },
		/* but not what lies around it */
		{ "egress allow to 8/5",
		    "ip daddr 8.0.0.0/5 ip daddr != @protected4 accept\n" },
		{ "egress allow to 0/0", "ip daddr != @protected4 accept\n" },
		{ "egress allow to ::/0 port 1",
		    "ip6 daddr != @protected6 "
		    "meta l4proto { tcp, udp } th dport 1 accept\n" },
		{ "egress allow to 64:ff9b::/96",
		    "ip6 daddr 64:ff9b::/96 ip6 daddr != @protected6 accept\n" },
		{ "egress allow to 64:ff9b::a00:1", "ip6 daddr 64:ff9b::a00:1 accept\n" },
		{ "egress deny to 0/0", "meta nfproto ipv4 goto refuse\n" },
		{ "egress deny to 8/5", "ip daddr 8.0.0.0/5 goto refuse\n" },
		/* tables, and order */
		{ "table <t> { 10/8, 8/5, ::1 }; egress allow to <t>; egress deny to <t> "
		  "udp",
		    "ip daddr @table0_4 accept\n"
		    "ip daddr @wide0_4 ip daddr != @protected4 accept\n"
		    "ip6 daddr @table0_6 accept\n"
		    "ip6 daddr @wide0_6 ip6 daddr != @protected6 accept\n"
		    "ip daddr @table0_4 meta l4proto udp goto refuse\n"
		    "ip daddr @wide0_4 meta l4proto udp goto refuse\n"
		    "ip6 daddr @table0_6 meta l4proto udp goto refuse\n"
		    "ip6 daddr @wide0_6 meta l4proto udp goto refuse\n" },
	};
	static const char before[] =
	    "ct state invalid,untracked drop\n"
	    "oifname \"ide*\" goto refuse\n"
	    "ct state new add @flows4 { ip saddr ct count over 77 } goto refuse\n"
	    "ct state new add @flows6 { ip6 saddr ct count over 77 } goto refuse\n"
	    "jump resolvers\n";
	static const char after[] = "ip daddr @protected4 goto refuse\n"
				    "ip6 daddr @protected6 goto refuse\n"
				    "accept\n";
	char lines[1024], got[4096], want[4096], *text;
	struct net_plan plan;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&plan, 0, sizeof(plan));
		snprintf(lines, sizeof(lines), "connections 77\n%s", rows[i].conf);
		configure(lines);
		text = rules(&plan);
		part(text, "chain out", got, sizeof(got));
		snprintf(want, sizeof(want), "%s%s%s", before, rows[i].want, after);
		assert_string_equal(got, want);
		free(text);
	}
}

/* The host itself: only what names one of its addresses. */
static void
test_host(void **state)
{
	struct net_plan plan;
	char got[4096], *text;

	(void)state;
	memset(&plan, 0, sizeof(plan));
	configure("table <t> { 10.0.0.1 }\n"
		  "egress allow to any\n"
		  "egress allow to 10/8\n"
		  "egress allow to <t>\n"
		  "egress deny to 10.0.0.7 udp\n"
		  "egress allow to 10.0.0.7 port 80\n"
		  "egress allow to fd00::7");
	text = rules(&plan);
	part(text, "chain host", got, sizeof(got));
	assert_string_equal(got,
	    "jump resolvers\n"
	    "ip daddr 10.0.0.7 meta l4proto udp goto refuse\n"
	    "ip daddr 10.0.0.7 meta l4proto { tcp, udp } th dport 80 accept\n"
	    "ip6 daddr fd00::7 accept\n"
	    "goto refuse\n");
	part(text, "chain prerouting", got, sizeof(got));
	assert_string_equal(got,
	    "type filter hook prerouting priority mangle; policy accept;\n"
	    "iifname \"idek3y0*\" fib saddr . iif oif missing drop\n"
	    "iifname \"idek3y0*\" fib daddr type != unicast goto host\n");
	part(text, "chain input", got, sizeof(got));
	assert_string_equal(got,
	    "type filter hook input priority filter; policy accept;\n"
	    "iifname \"idek3y0*\" goto host\n");
	free(text);
}

static void
test_sets(void **state)
{
	static const char *const all[] = { "10.0.0.0/8", "169.254.0.0/16", "127.0.0.0/8",
		"100.64.0.0/10", "168.63.129.16", "224.0.0.0/4", "20.0.0.0/16" };
	static const char *const all6[] = { "fc00::/7", "fe80::/10", "::/80", "ff00::/8",
		"64:ff9b::a00:0/104", "64:ff9b::a9fe:0/112", "2a00::/64" };
	static const char head[] = "table inet ided_k3y0\ndelete table inet ided_k3y0\n"
				   "table inet ided_k3y0 {\n";
	struct net_plan plan;
	char got[8192], *text;
	size_t i;

	(void)state;
	memset(&plan, 0, sizeof(plan));
	configure("table <t> { 10/8, 8/5, ::1, 1.2.3.4 }\n"
		  "table <e> { }\n"
		  "network-pool 20.0.0.0/16 2a00::/64\n"
		  "uids 200000:1000");
	text = rules(&plan);
	part(text, "set protected4", got, sizeof(got));
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_non_null(strstr(got, all[i]));
	assert_null(strchr(got, ':'));
	part(text, "set protected6", got, sizeof(got));
	for (i = 0; i < sizeof(all6) / sizeof(all6[0]); i++)
		assert_non_null(strstr(got, all6[i]));
	part(text, "set table0_4", got, sizeof(got));
	assert_string_equal(got,
	    "type ipv4_addr\nflags interval\nauto-merge\nelements = {\n"
	    "10.0.0.0/8,\n1.2.3.4\n}\n");
	part(text, "set wide0_4", got, sizeof(got));
	assert_string_equal(got,
	    "type ipv4_addr\nflags interval\nauto-merge\nelements = {\n8.0.0.0/5\n}\n");
	part(text, "set table0_6", got, sizeof(got));
	assert_string_equal(
	    got, "type ipv6_addr\nflags interval\nauto-merge\nelements = {\n::1\n}\n");
	part(text, "set table1_4", got, sizeof(got));
	assert_string_equal(got, "type ipv4_addr\nflags interval\nauto-merge\n");
	assert_int_equal(strncmp(text, head, strlen(head)), 0);
	free(text);
}

static void
test_resolvers(void **state)
{
	struct net_plan plan;
	char got[1024], dir[] = "/tmp/ided-net-XXXXXX", path[64], *text;
	ssize_t n;
	int fd;

	(void)state;
	memset(&plan, 0, sizeof(plan));
	configure("resolver 10.0.0.1 fd00::1");
	net_resolvers(&conf.net, true, &plan);
	assert_int_equal(plan.nresolver, 2);
	text = rules(&plan);
	part(text, "chain resolvers", got, sizeof(got));
	assert_string_equal(got,
	    "ip daddr 10.0.0.1 meta l4proto { tcp, udp } th dport 53 accept\n"
	    "ip6 daddr fd00::1 meta l4proto { tcp, udp } th dport 53 accept\n");
	free(text);
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_not_equal(fd, -1);
	assert_int_equal(net_resolv_write(fd, &plan), 0);
	/* Shorter than before, in the same file. */
	configure("resolver 10.0.0.2");
	net_resolvers(&conf.net, true, &plan);
	assert_int_equal(net_resolv_write(fd, &plan), 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/" NET_RESOLV, dir);
	fd = open(path, O_RDONLY);
	n = read(fd, got, sizeof(got) - 1);
	close(fd);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, "# made by ided\nnameserver 10.0.0.2\n");
	unlink(path);
	rmdir(dir);
}

/* Tables in files: what is taken, and how what is wrong with them is told. */
static void
test_files(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *err; /* NULL: taken */
	} rows[] = {
		{ "", 0, NULL },
		{ "10/8\n", 1, NULL },
		{ "# c\n\n  10/8 \t# d\r\n::1\r\n1.2.3.4", 3, NULL },
		{ "10/8\n10/8, 11/8\n", 0,
		    "line 2: expected an address such as 192.0.2.0/24, got \"10/8, "
		    "11/8\"; "
		    "lengths are from 0 to 32" },
		{ "10.0.0.1/8", 0,
		    "line 1: expected an address such as 192.0.2.0/24, got "
		    "\"10.0.0.1/8\"; "
		    "the address has bits beyond its length" },
	};
	char path[] = "/tmp/ided-net-XXXXXX", err[NET_ERR], want[NET_ERR];
	struct net_list list;
	size_t i;
	int fd = mkstemp(path);

	(void)state;
	assert_int_not_equal(fd, -1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, rows[i].text, strlen(rows[i].text), 0),
		    strlen(rows[i].text));
		if (rows[i].err == NULL) {
			assert_int_equal(net_file_read(path, &list, err, sizeof(err)), 0);
			assert_int_equal(list.n, rows[i].n);
			net_file_free(&list);
			continue;
		}
		assert_int_equal(net_file_read(path, &list, err, sizeof(err)), -1);
		snprintf(want, sizeof(want), "table file \"%s\": %s", path, rows[i].err);
		assert_string_equal(err, want);
	}
	assert_int_equal(fchmod(fd, 0666), 0);
	assert_int_equal(net_file_read(path, &list, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "only root may write to it"));
	close(fd);
	unlink(path);
	assert_int_equal(net_file_read(path, &list, err, sizeof(err)), -1);
	assert_int_equal(net_file_read("/tmp", &list, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "is not a regular file"));
	assert_int_equal(net_file_read("/dev/null", &list, err, sizeof(err)), -1);
}

#define PAIRS 60 /* more than one read of the kernel's answer takes */

static void
on_link(const struct net_link *l, void *arg)
{
	(void)l;
	++*(unsigned int *)arg;
}

/* Pairs come and go until it is killed. */
static void
flap(void)
{
	int fd = net_socket();

	for (;;)
		if (fd == -1 || net_pair(fd, "flap") == -1 ||
		    net_remove(fd, "flap") == -1)
			_exit(1);
}

/* What changes while it is listed is asked for again, on the same socket; nothing of
 * the answer before is in the next one. */
static void
test_changes(void **state)
{
	unsigned int i, n, changed = 0, whole = 0;
	char name[IFNAMSIZ];
	int fd, status;
	pid_t pid;

	(void)state;
	if (unshare(CLONE_NEWNET) == -1) {
		print_message(
		    "no network namespace may be made here: %s\n", strerror(errno));
		skip();
	}
	fd = net_socket();
	assert_int_not_equal(fd, -1);
	for (i = 0; i < PAIRS; i++) {
		snprintf(name, sizeof(name), "a%u", i);
		assert_int_equal(net_pair(fd, name), 0);
		snprintf(name, sizeof(name), "b%u", i);
		assert_int_equal(net_up_as(fd, net_index(fd, NET_INSIDE), name), 0);
	}
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0)
		flap();
	(void)alarm(60); /* what waits for an answer that does not come, ends */
	for (i = 0; i < 20000 && (changed < 20 || whole < 20); i++) {
		n = 0;
		if (net_link_each(fd, on_link, &n) == 0) {
			assert_in_range(n, 2 * PAIRS + 1, 2 * PAIRS + 3);
			whole++;
		} else {
			assert_int_equal(errno, EINTR);
			changed++;
		}
	}
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)alarm(0);
	close(fd);
	assert_true(changed >= 20 && whole >= 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_egress),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_resolvers),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
