/* Sections of the configuration between processes: see confsend.h. */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "confsend.h"
#include "log.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int
conf_section_send(const void *section, size_t len)
{
	const char *p = section;
	size_t done = 0;
	ssize_t n;
	int fd;

	fd = memfd_create("ided.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -1;
	while (done < len) {
		n = write(fd, p + done, len - done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

void
conf_section_recv(int fd, void *section, size_t len)
{
	struct stat st;
	char *p = section;
	size_t done = 0;
	ssize_t n;

	if (fstat(fd, &st) == -1 || st.st_size < 0 || (size_t)st.st_size != len)
		fatalx("configuration of another size than expected: are old and "
		       "new executables mixed?");
	while (done < len) {
		n = pread(fd, p + done, len - done, (off_t)done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			fatal("reading the configuration");
		done += (size_t)n;
	}
	close(fd);
}
