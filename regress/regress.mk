# Tests: see regress/README.  Included by the Makefile at the top.

# Everything but the files that hold a main(), as archives: a unit test is
# linked with all of them and takes the real objects that it needs.
MAIN_SRC  = privsep/auth/auth.c privsep/auth/hash.c privsep/keys/keys.c privsep/fetch/fetch.c \
	    privsep/isolation/isolation.c worker/zygote.c bin/ided/ided.c \
	    bin/idectl/idectl.c bin/ide-session/ide-session.c
LIB_SRC   = $(sort $(filter-out $(MAIN_SRC),$(COMMON_SRC) $(CONF_SRC) $(KEYS_SRC) \
	    $(AUTH_SRC) $(HASH_SRC) $(FETCH_SRC) $(ISOLATION_SRC) $(WORKER_SRC) $(MASTER_SRC)))
LIB_OBJ   = $(call objs,$(LIB_SRC)) $(O)/worker/www.o
TEST_LIBS = -lnftables -lmnl -lssl -lcrypto -lnghttp2 -ljansson -lbrotlienc -lbrotlidec -lbrotlicommon -lzstd -lz -ldb-5.3 -largon2 -lidn2 -lunistring -lyaml -lcmocka \
	    $(call PC,$(PKGS))

$(O)/libtest.a: $(LIB_OBJ)
	@rm -f $@
	$(call say,AR) ar rcs $@ $^

UNIT_SRC  = $(wildcard regress/unit/*_test.c)
UNIT	  = $(patsubst %.c,$(O)/%,$(UNIT_SRC))

$(O)/regress/unit/%: regress/unit/%.c $(O)/libtest.a
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(CFLAGS_ALL) -I. -Wno-missing-prototypes -MMD -MP -o $@ $< \
	    $(LDHARDEN) -Wl,--start-group $(O)/libtest.a -Wl,--end-group $(TEST_LIBS)

unit-programs: $(UNIT)
unit: $(UNIT)
	regress/run-unit $(UNIT)

# A change of what processes may ask of the kernel is wanted: write it down.
filters: $(O)/regress/unit/filters_test
	-FILTERS_OUT=regress/unit/filters.txt $< >/dev/null 2>&1
	$<

# Fuzz targets are built whole with clang, for coverage of what they test.
FUZZ_SECONDS ?= 5
FUZZ_DIR ?= obj-fuzz
FUZZ_SAN ?= -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_SRC  = $(wildcard regress/fuzz/*_fuzz.c)
FUZZ	  = $(patsubst regress/fuzz/%.c,$(FUZZ_DIR)/%,$(FUZZ_SRC))
FUZZ_CFLAGS = -I. -std=c17 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' \
	    -DLIBEXECDIR='"$(LIBEXECDIR)"' -O1 -g -w -fno-common \
	    -fsanitize=fuzzer-no-link $(FUZZ_SAN)
FUZZ_OBJ  = $(patsubst %.c,$(FUZZ_DIR)/%.o,$(LIB_SRC)) $(FUZZ_DIR)/worker/www.o

$(FUZZ_DIR)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,FUZZ) clang $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<

$(FUZZ_DIR)/worker/www.o: $(O)/worker/www.c
	@mkdir -p $(@D)
	$(call say,FUZZ) clang $(FUZZ_CFLAGS) -Iworker -c -o $@ $<

$(FUZZ_DIR)/libfuzz.a: $(FUZZ_OBJ)
	@rm -f $@
	$(call say,AR) ar rcs $@ $^

$(FUZZ_DIR)/%_fuzz: regress/fuzz/%_fuzz.c $(FUZZ_DIR)/libfuzz.a
	$(call say,FUZZ) clang $(FUZZ_CFLAGS) -MMD -MP -fsanitize=fuzzer -o $@ $< \
	    -Wl,--start-group $(FUZZ_DIR)/libfuzz.a -Wl,--end-group $(TEST_LIBS)

-include $(shell find $(FUZZ_DIR) -name '*.d' 2>/dev/null)

fuzz-programs: $(FUZZ)
fuzz: $(FUZZ)
	regress/run-fuzz $(FUZZ_SECONDS) $(FUZZ)

# Lines of what reads a stranger's bytes that the targets reach.
FUZZ_READS = $(addprefix worker/,chunk.c cookie.c encode_pick.c lang.c dates.c http1.c httpfield.c origin.c proxied.c jwt_parse.c \
	    port_head.c proxy_head.c range.c url.c h1.c h2.c h2_guard.c h2_head.c h2_stream.c question.c session.c) \
	    $(addprefix privsep/,chan.c msg.c conf_grammar.c conf_lex.c conf_listen.c \
	    audit_record.c conf_special.c conf_table.c conf_value.c semver.c https_url.c \
	    fetch/fetch_response.c fetch/fetch_feed.c fetch/fetch_proxy.c auth/auth_worker.c auth/auth_worker_ask.c keys/serve.c) \
	    master/pool.c master/pool_end.c
fuzz-coverage:
	etc/install-deps build check coverage
	$(MAKE) FUZZ_DIR=obj-cov FUZZ_SAN='-fprofile-instr-generate -fcoverage-mapping' \
	    fuzz-coverage-run
fuzz-coverage-run: $(FUZZ)
	regress/run-coverage $(FUZZ_SECONDS) $(FUZZ) -- $(FUZZ_READS)

# The hostile suite: a tree of programs in which the worker is an attacker's,
# and what asks the kernel from inside a sandbox.
HOSTILE	  = $(O)/regress/hostile
EVIL	  = $(addprefix $(HOSTILE)/bin/,$(PROGRAMS)) $(HOSTILE)/probe

ZYGOTE	  = $(addprefix $(O)/worker/,zygote.o heap.o text.o)

$(HOSTILE)/bin/ided-worker: regress/hostile/evil_worker.c $(ZYGOTE) $(COMMON)
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(CFLAGS_ALL) -MMD -MP -o $@ $< $(LDHARDEN) $(ZYGOTE) $(COMMON) \
	    $(call PC,$(PKGS))

$(HOSTILE)/bin/%: $(O)/%
	@mkdir -p $(@D)
	$(call say,CP) cp -f $< $@

# Runs inside sandboxes: no library, and no sanitizer that would get in its way.
PROBE_SRC = $(wildcard regress/hostile/probe/*.c)
$(HOSTILE)/probe: $(PROBE_SRC) regress/hostile/probe/probe.h
	@mkdir -p $(@D)
	$(call say,CC) $(CC) -std=c17 -D_GNU_SOURCE -O1 $(WARN) -static -o $@ $(PROBE_SRC)

# Preloaded into clients that cannot choose their address.
$(HOSTILE)/bindsource.so: regress/hostile/bindsource.c
	@mkdir -p $(@D)
	$(call say,CC) $(CC) -std=c17 -D_GNU_SOURCE -O1 $(WARN) -fPIC -shared -o $@ $<

# In the place of ided-fetch.
$(HOSTILE)/evil_fetch: regress/hostile/evil_fetch.c
	@mkdir -p $(@D)
	$(call say,CC) $(CC) -std=c17 -D_GNU_SOURCE -O1 $(WARN) -o $@ $<

# Likewise with the session, which is an attacker's there.
$(HOSTILE)/session/ide-session: regress/hostile/evil_session.c \
	    $(O)/bin/ide-session/become.o $(COMMON)
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(CFLAGS_ALL) -MMD -MP -o $@ $< $(LDHARDEN) \
	    $(O)/bin/ide-session/become.o $(COMMON) $(call PC,$(PKGS))

$(HOSTILE)/session/%: $(O)/%
	@mkdir -p $(@D)
	$(call say,CP) cp -f $< $@

hostile: $(EVIL) $(HOSTILE)/bindsource.so $(HOSTILE)/evil_fetch \
    $(addprefix $(HOSTILE)/session/,$(PROGRAMS))

# With SAN=1: the programs again, so that they look for what they leaked from
# inside their sandboxes.
LEAKS	  = $(O)/regress/leaks
LEAKY	  = $(addprefix $(LEAKS)/bin/,$(PROGRAMS))
STOP	  = _ZN11__sanitizer12StopTheWorldEPFvRKNS_20SuspendedThreadsListEPvES3_
LEAK_LINK = -Wl,--wrap=_exit,--wrap=$(STOP)
ifeq ($(findstring clang,$(CC)),)
LEAK_LINK += -static-libasan -static-libubsan
endif

$(foreach p,$(PROGRAMS),$(eval $(LEAKS)/bin/$(p): $(call objs,$(SRC_$(p)) regress/leaks/leaks.c) $(COMMON)))
$(LEAKS)/bin/ided-worker: $(O)/regress/leaks/fault.o

$(LEAKY):
	@mkdir -p $(@D)
	$(call link,$(LEAK_LINK) $(if $(filter %-worker,$@),-Wl$(comma)--wrap=robots))
ifeq ($(SAN),1)
system: $(LEAKY)
endif

# The VM: Debian's own kernel, older than most, with control groups in version 2
# and Landlock ABI 2.  Its first process runs what the tests ask for, over a
# connection that qemu forwards; its disk forgets what was not flushed when the
# power is cut.  kernel downloads Debian's package, once, to /var/cache; image
# makes the initramfs; vm.mjs and disk.mjs are what the tests use.
#
#	make check-vm		its tests, a few minutes
#	O=obj node --test regress/vm/caps.test.mjs	one of them
VM	  = $(O)/regress/vm
VM_TOOLS  = $(addprefix $(VM)/,agent ide load)

# Without libraries, as in there is nothing else.
$(VM_TOOLS): $(VM)/%: regress/vm/%.c
	@mkdir -p $(@D)
	$(call say,CC) $(CC) -std=c17 -D_GNU_SOURCE -O1 $(WARN) -static -o $@ $<

$(VM)/vmlinuz: regress/vm/kernel
	@mkdir -p $(@D)
	cp "$$(regress/vm/kernel)/vmlinuz" $@

$(VM)/initrd: regress/vm/image regress/vm/init $(BINS) $(VM_TOOLS) $(HOSTILE)/probe $(VM)/vmlinuz
	regress/vm/image $(O) "$$(regress/vm/kernel)" $@

$(VM)/initrd-systemd: regress/vm/image-systemd $(VM)/initrd etc/ided.service
	regress/vm/image-systemd $(VM)/initrd $@

vm: $(VM)/initrd $(VM)/initrd-systemd

check-vm:
	etc/install-deps build check vm
	$(MAKE) all vm
	O=$(O) regress/run-node.mjs regress/vm 2

check-deps:
	etc/install-deps build check vm

# Three files at once: much of these two is waiting.
system: $(O)/regress/bench/accounts_load
system hostile browser: %: all $(O)/regress/vm/ide
	O=$(O) regress/run-node.mjs regress/$* $(if $(filter browser,$*),,3)

# What is built is built on all processors, if nobody said how many, and while the IDE
# comes from the network.
JOBS	  = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

# With SAN=1 it is about the programs alone: not what fuzz targets have anyway, and not
# what the VM's kernel makes of them.
check:
	$(MAKE) check-deps
	$(MAKE) $(JOBS) ide all unit-programs $(if $(SAN),,lint fuzz-programs)
	for s in unit $(if $(SAN),,fuzz) system hostile browser $(if $(SAN),,check-vm); do $(MAKE) $$s || exit; done
	@regress/summary

# What takes hours: the same tests with more rounds, and an hour a fuzz target.
check-long:
	$(MAKE) check-deps ide
	STORE_ROUNDS=200 $(MAKE) all unit
	IDED_ROUNDS=200 IDED_CRASH_SECONDS=600 $(MAKE) system
	IDED_LONG=1 $(MAKE) hostile
	$(MAKE) browser
	IDED_ROUNDS=20 $(MAKE) check-vm
	$(MAKE) fuzz FUZZ_SECONDS=3600

# What clang-format would change, and does: 'make format'.
C_FILES	  = $(shell git ls-files '*.c' '*.h')
lint:
	@clang-format --dry-run -Werror $(C_FILES)

format:
	@clang-format -i $(C_FILES)

BENCH_LOAD = $(addprefix $(O)/regress/bench/,accounts_load audit_load)
$(BENCH_LOAD): $(O)/regress/bench/%: regress/bench/%.c $(O)/libtest.a
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(CFLAGS_ALL) -I. -MMD -MP -o $@ $< \
	    $(LDHARDEN) -Wl,--start-group $(O)/libtest.a -Wl,--end-group $(TEST_LIBS)

BENCH_GATEWAY = $(O)/regress/bench/gateway_serve $(O)/regress/bench/gateway_load
$(BENCH_GATEWAY): $(O)/regress/bench/%: regress/bench/%.c
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(CFLAGS_ALL) -MMD -MP -o $@ $< $(LDHARDEN) -lssl -lcrypto

bench: all $(O)/regress/vm/ide $(BENCH_LOAD) $(BENCH_GATEWAY)
	O=$(O) node regress/bench/run.mjs
	O=$(O) node regress/bench/sandboxes.mjs
	O=$(O) node regress/bench/gateway.mjs
	O=$(O) node regress/bench/workbench.mjs
	O=$(O) node regress/bench/hints.mjs
	O=$(O) node regress/bench/enumeration.mjs
	O=$(O) node regress/bench/accounts.mjs
	O=$(O) node regress/bench/large.mjs
	O=$(O) node regress/bench/backup.mjs
	O=$(O) node regress/bench/logins.mjs
	O=$(O) node regress/bench/audit.mjs
	O=$(O) node regress/bench/network.mjs

.PHONY: lint format unit unit-programs filters fuzz fuzz-programs fuzz-coverage fuzz-coverage-run vm check check-vm check-long check-deps system hostile browser bench
