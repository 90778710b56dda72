# ided: GNU make, out of tree into obj/.
#
#	make		build everything
#	make demo	all that is missing, then ided on https://127.0.0.1:8443
#	make check	all tests, with what they need installed first
#	make install	DESTDIR= PREFIX=/usr/local
#	make deps ide	Debian packages; the VS Code server
#	make bench fuzz fuzz-coverage check-long
#
# SAN=1 builds with AddressSanitizer and UBSan into obj-san/; CC=clang works.

VERSION	 = 0.1
PREFIX	?= /usr/local
DESTDIR	?=
SYSCONFDIR ?= /etc
LOCALSTATEDIR ?= /var
LIBEXECDIR = $(PREFIX)/libexec/ided
IDEDIR	?= $(PREFIX)/lib/ided/vscode
CC	?= cc
ifeq ($(origin CC),default)
CC	 = gcc
endif

PKGS	 = libevent_core libseccomp libbsd
PC	 = $(shell pkg-config --cflags --libs $(1))

WARN	 = -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	   -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wundef
HARDEN	 = -fPIE -fno-common -fstack-protector-strong -fstack-clash-protection \
	   -fcf-protection $(if $(filter -O0,$(CFLAGS)),,-D_FORTIFY_SOURCE=3)
# Shadow stacks are asked for by name: Debian's start files do not, and would take
# it from the whole.  Nor are they ready for indirect branch tracking; ours is.
LDHARDEN = -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,-z,shstk,-z,ibtplt -Wl,--as-needed

ifeq ($(SAN),1)
O	?= obj-san
OPT	 = -O1 -g -DSANITIZED -fsanitize=address,undefined -fno-sanitize-recover=all \
	   -fno-omit-frame-pointer
HARDEN	 = -fPIE -fno-common -fstack-protector-strong
LDHARDEN = -pie -Wl,-z,relro,-z,now -fsanitize=address,undefined
else
O	?= obj
OPT	 = -O2 -g
endif

CFLAGS_ALL = -std=c17 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' \
	   -DLIBEXECDIR='"$(LIBEXECDIR)"' $(OPT) $(WARN) $(HARDEN) $(CFLAGS)

# What each process is made of.  privsep/*.c is common to all of them, except
# the configuration's parser, which only the two that read the file have.
CONF_SRC  := $(wildcard privsep/conf.c privsep/conf_*.c)
COMMON_SRC := $(filter-out $(CONF_SRC),$(wildcard privsep/*.c))
KEYS_SRC  := $(wildcard privsep/keys/*.c)
HASH_SRC  := privsep/auth/hash.c privsep/auth/hash_memory.c privsep/auth/seccomp_hash.c
FETCH_SRC := $(wildcard privsep/fetch/*.c)
AUTH_SRC  := $(filter-out $(HASH_SRC),$(wildcard privsep/auth/*.c))
ISOLATION_SRC := $(wildcard privsep/isolation/*.c)
WORKER_SRC := $(wildcard worker/*.c)
MASTER_SRC := $(wildcard master/*.c)
SESSION_SRC := $(wildcard bin/ide-session/*.c)
CTL_SRC	  := $(wildcard bin/idectl/*.c)
START_SRC := $(wildcard bin/ided/*.c)

PROGRAMS = ided idectl ided-isolation ided-auth ided-hash ided-keys ided-fetch \
	   ided-worker ide-session
BINS	 = $(addprefix $(O)/,$(PROGRAMS))

# Short lines; V=1 shows the commands.
say	 = $(if $(filter 1,$(V)),,@printf '  %-4s %s\n' $(1) $@;)

comma	 = ,
objs	 = $(patsubst %.c,$(O)/%.o,$(1))

all: $(BINS) $(O)/ided-msg.7

# An archive, so that each program gets only the files that it uses.
COMMON = $(O)/libprivsep.a
$(COMMON): $(call objs,$(COMMON_SRC))
	@rm -f $@
	$(call say,AR) ar rcs $@ $^

SRC_ided	    = $(START_SRC) $(MASTER_SRC) $(CONF_SRC)
SRC_idectl	    = $(CTL_SRC)
SRC_ided-isolation  = $(ISOLATION_SRC) $(CONF_SRC)
SRC_ided-auth	    = $(AUTH_SRC)
SRC_ided-hash	    = $(HASH_SRC)
SRC_ided-keys	    = $(KEYS_SRC)
SRC_ided-fetch	    = $(FETCH_SRC)
SRC_ided-worker	    = $(WORKER_SRC) worker/www.c
SRC_ide-session	    = $(SESSION_SRC)

$(foreach p,$(PROGRAMS),$(eval $(O)/$(p): $(call objs,$(SRC_$(p))) $(COMMON)))

# The worker holds its libraries, as far as it uses them: a process with eleven
# objects to map costs half as much again to fork and to end.  Its code starts at
# 2 MB, where large pages do (worker/text.c).  What libraries could do and a worker
# never does is left out, and who calls it ends (privsep/absent.c).  -w: the C
# library would have us know that it could still load something.
# ide-session holds its own for the same reason: a sandbox starts with its exec, and
# is as small as it.
ifneq ($(SAN),1)
ABSENT	 = dlopen dlsym dlclose dlerror dladdr getaddrinfo freeaddrinfo \
	   gai_strerror getnameinfo gethostbyname getservbyname getprotobynumber \
	   if_nametoindex if_indextoname
ABSENT_ided-worker = socket bind listen accept connect
ABSENT_ide-session = accept
LDSTATIC = $(LDHARDEN:-pie=-static-pie) -Wl,-w -Wl,-u,absent \
	   $(patsubst %,-Wl$(comma)--defsym=%=absent,$(ABSENT) $(ABSENT_$(1)))
$(foreach p,ided-worker ide-session,$(eval $(O)/$(p): LDHARDEN := $(call LDSTATIC,$(p))))
$(O)/ided-worker: LDHARDEN += -Wl,-z,max-page-size=0x200000
$(O)/ided-worker $(O)/ide-session: PKGS := --static $(PKGS)
endif

LIBS_ided-isolation = -lcrypto -lnftables -lmnl
LIBS_ided-auth	    = -ldb-5.3 -lcrypto -lidn2 -lunistring
LIBS_ided-hash	    = -largon2
LIBS_ided-keys	    = -lcrypto
LIBS_ided-fetch	    = -lssl -lcrypto -ljansson
LIBS_ided-worker    = -lssl -lcrypto -lnghttp2 -ljansson -lbrotlienc -lbrotlicommon -lzstd -lz -lm
LIBS_idectl	    = -ljansson -lcrypto -lyaml

link = $(call say,LD) $(CC) $(OPT) $(LDHARDEN) $(LDFLAGS) $(1) -o $@ $^ $(LIBS_$(@F)) $(call PC,$(PKGS))

$(BINS):
	$(call link)

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# It holds the list as it stands.
$(O)/privsep/auth/common.o: privsep/auth/common-passwords

# The pages, as arrays in the worker's executable.
$(O)/worker/www.c: worker/www/embed $(filter-out worker/www/embed,$(wildcard worker/www/*))
	@mkdir -p $(@D)
	worker/www/embed $(filter-out $<,$^) >$@.tmp && mv $@.tmp $@

$(O)/worker/www.o: $(O)/worker/www.c
	$(call say,CC) $(CC) $(CFLAGS_ALL) -Iworker -c -o $@ $<

# The page of the message table is made from the table.
$(O)/ided-msg.7: man/msg-page.c privsep/msg.c privsep/msg.h $(wildcard privsep/wire*.h)
	@mkdir -p $(@D)
	$(call say,GEN) $(CC) -std=c17 -D_GNU_SOURCE $(OPT) $(WARN) -o $(O)/msg-page man/msg-page.c privsep/msg.c
	$(O)/msg-page >$@

-include $(shell find $(O) -name '*.d' 2>/dev/null)

clean:
	rm -rf obj obj-san obj-fuzz obj-cov

include regress/regress.mk

deps:
	etc/install-deps build

ide:
	bin/ide-session/vscode/install $(IDEDIR)
	install -d $(IDEDIR)/cli
	install -m 0644 bin/ide-session/cli/*.js $(IDEDIR)/cli
	install -m 0755 bin/ide-session/cli/code $(IDEDIR)/cli
	ln -sf code $(IDEDIR)/cli/code-server

demo:
	etc/demo

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(LIBEXECDIR) \
	    $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man7 $(DESTDIR)$(PREFIX)/share/man/man8 \
	    $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d \
	    $(DESTDIR)$(PREFIX)/share/doc/ided/examples \
	    $(DESTDIR)$(SYSCONFDIR)/logrotate.d $(DESTDIR)$(SYSCONFDIR)/ided
	install -d -m 0700 $(DESTDIR)$(SYSCONFDIR)/ided/private
	install -d -m 0711 $(DESTDIR)$(LOCALSTATEDIR)/ided
	install -m 0755 $(O)/ided $(O)/idectl $(DESTDIR)$(PREFIX)/sbin
	install -m 0755 $(filter-out $(O)/ided $(O)/idectl,$(BINS)) \
	    $(DESTDIR)$(LIBEXECDIR)
	install -m 0644 man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 0644 man/*.7 $(O)/ided-msg.7 $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 0644 man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8
	sed 's|@PREFIX@|$(PREFIX)|g' etc/ided.service \
	    >$(DESTDIR)$(PREFIX)/lib/systemd/system/ided.service
	install -m 0644 etc/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/ided.conf
	install -m 0644 etc/logrotate $(DESTDIR)$(SYSCONFDIR)/logrotate.d/ided
	install -m 0644 etc/ided.conf $(DESTDIR)$(PREFIX)/share/doc/ided/examples

.PHONY: all clean deps ide demo install
.DELETE_ON_ERROR:
