/*
 * The rules, into the kernel by libnftables.
 *
 * The library is large, reads files of its own and ends the process where memory
 * or a socket is lacking: it works in a process of its own, which has nothing but
 * CAP_NET_ADMIN left and lives as long as one transaction takes.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>
#include <nftables/libnftables.h>

#include "isolation.h"
#include "net.h"

#define PATIENCE_S 20 /* for a table of many thousand addresses */

static void
apply(const char *text, int to)
{
	struct nft_ctx *nft;
	const char *err;
	int r;

	(void)alarm(PATIENCE_S);
	if (caps_only(CAP_NET_ADMIN) == -1)
		_exit(1);
	nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (nft == NULL || nft_ctx_buffer_error(nft) != 0 ||
	    nft_ctx_buffer_output(nft) != 0)
		_exit(1);
	r = nft_run_cmd_from_buffer(nft, text);
	err = nft_ctx_get_error_buffer(nft);
	if (r != 0 && err != NULL && write(to, err, strcspn(err, "\n")) == -1)
		_exit(1);
	nft_ctx_free(nft);
	_exit(r == 0 ? 0 : 1);
}

/* What the other process has to say, and its end. */
static int
result(int from, pid_t pid, char *err, size_t errlen)
{
	char rest[256];
	size_t len = 0;
	ssize_t n;
	int status = 0;

	for (;;) {
		n = len + 1 < errlen ? read(from, err + len, errlen - 1 - len) :
				       read(from, rest, sizeof(rest));
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (len + 1 < errlen)
			len += (size_t)n;
	}
	err[len] = '\0';
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (len == 0)
		snprintf(err, errlen, "nftables: %s",
		    WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "not available");
	return -1;
}

int
net_filter(const char *text, char *err, size_t errlen)
{
	int p[2], r;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) == -1 || (pid = fork()) == -1) {
		snprintf(err, errlen, "nftables: %s", strerror(errno));
		return -1;
	}
	if (pid == 0) {
		close(p[0]);
		apply(text, p[1]);
	}
	close(p[1]);
	r = result(p[0], pid, err, errlen);
	close(p[0]);
	return r;
}
