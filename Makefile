# SPDX-License-Identifier: Apache-2.0
# One non-recursive Makefile; sources are found by wildcard, so adding a file needs no edit.
# `make help` lists the targets.

O       ?= build
CC      ?= gcc
CLANG   ?= clang
V       ?= 0
SAN     ?=
DESTDIR ?=
PREFIX  ?= /usr/local
SYSCONFDIR ?= /etc
VERSION := 0.1.0

PKGS     := libcrypto liburing libzstd liblz4 zlib libisal
CLI_PKGS := rdkafka

# Kernel helps are compiled in where clang, bpftool and libbpf are; BPF=0 leaves them out.
BPFTOOL ?= $(shell PATH=$$PATH:/usr/sbin command -v bpftool)
ifndef BPF
BPF     := $(if $(and $(BPFTOOL),$(shell command -v $(CLANG) 2>&1),$(shell pkg-config --exists 'libbpf >= 1.0' 2>&1 && echo y)),1,0)
endif
ifeq ($(BPF),1)
PKGS    += libbpf
endif

CFLAGS   ?= -O2 -g
WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion \
	    -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wimplicit-fallthrough -Werror
HARDEN   := -fPIE -fstack-protector-strong -fcf-protection \
	    $(if $(SAN),,$(if $(findstring -O0,$(CFLAGS)),,-D_FORTIFY_SOURCE=2))
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
CPPFLAGS += -Iinclude -I$(O)/gen -isystem $(O)/bpf -D_GNU_SOURCE -DSLUICE_VERSION=\"$(VERSION)\" -MMD -MP $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
ALL_CFLAGS  = -std=gnu17 $(WARN) $(HARDEN) $(CFLAGS) $(SANFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(SANFLAGS) $(LDFLAGS)
LDLIBS   += $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lsnappy -lpthread

ifeq ($(V),0)
Q   := @
say  = @printf '  %-7s %s\n' $(1) $(2);
MAKEFLAGS += --no-print-directory
endif

# The layers from the ground up; the first three are pure: no I/O, no clock, no threads.
PURE   := base wire core
LAYERS := $(PURE) io store kern broker
src     = $(filter-out userspace/kern/$(if $(filter 1,$(BPF)),none,bpf)/%,$(wildcard userspace/$(1)/*.c userspace/$(1)/*/*.c))
obj     = $(patsubst %.c,$(O)/%.o,$(1))

MAIN      := userspace/broker/main.c
PURE_OBJ  := $(call obj,$(foreach l,$(PURE),$(call src,$(l)))) $(O)/gen/messages.o
ALL_OBJ   := $(PURE_OBJ) $(call obj,$(filter-out $(MAIN),$(foreach l,io store kern broker,$(call src,$(l)))))
ABOVE_IO  := $(call obj,$(filter-out $(MAIN),$(foreach l,store broker,$(call src,$(l)))))
# The simulator links everything but userspace/io, of which it shares the strand.
SIM_OBJ   := $(filter-out $(O)/userspace/io/%,$(ALL_OBJ)) $(O)/userspace/io/strand.o $(call obj,$(wildcard selftests/sim/io/*.c))
UNIT      := $(patsubst %.c,$(O)/%,$(wildcard selftests/unit/test_*.c))
STRESS    := $(patsubst %.c,$(O)/%,$(wildcard selftests/stress/stress_*.c))
SIM       := $(patsubst %.c,$(O)/%,$(wildcard selftests/sim/sim_*.c))
FUZZ      := $(patsubst %.c,$(O)/%,$(wildcard selftests/fuzz/fuzz_*.c))
BENCH     := $(patsubst %.c,$(O)/%,$(wildcard selftests/bench/bench_*.c))
SCHEMA    := $(wildcard userspace/wire/schema/*.msg)
MSGC      := $(O)/msgc
GEN       := $(O)/gen/messages.c
SKEL      := $(patsubst bpf/%.bpf.c,$(O)/bpf/skel/%.skel.h,$(wildcard bpf/*.bpf.c))
BPF_MODE  := $(O)/gen/bpf.mode

.PHONY: all bpf run deps test tests run-tests check stress sim fuzz bench compat suites format format-check tidy compdb install clean help FORCE
all: $(O)/sluiced $(O)/sluice $(O)/pure.ok

$(O)/libpure.a: $(PURE_OBJ)
$(O)/libsluice.a: $(ALL_OBJ) $(BPF_MODE)
$(O)/libabove.a: $(ABOVE_IO)
$(O)/libsim.a: $(SIM_OBJ) $(BPF_MODE)
$(O)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)
# A build that changes its mind about BPF makes its libraries again.
$(BPF_MODE): FORCE
	$(Q)mkdir -p $(@D) && { [ "$$(cat $@ 2>/dev/null)" = $(BPF) ] || echo $(BPF) > $@; }
FORCE:

# Programs for the kernel, and the headers that carry them into the daemon.
bpf: $(SKEL)
$(O)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard include/abi/*.h)
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D) && $(CLANG) -target bpf -g -O2 -Wall -Wextra -Werror -Iinclude \
		-isystem /usr/include/$(shell $(CC) -print-multiarch) -c $< -o $@
$(O)/bpf/skel/%.skel.h: $(O)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)mkdir -p $(@D) && $(BPFTOOL) gen skeleton $< name $*_bpf > $@
$(call obj,$(wildcard userspace/kern/bpf/*.c)) $(patsubst %.c,$(O)/fuzz/%.o,$(wildcard userspace/kern/bpf/*.c)): $(SKEL)

# Purity is a link fact, not a promise: these layers may call nothing else.
$(O)/pure.ok: $(O)/libpure.a $(O)/libabove.a tools/tidy/pure.allow tools/tidy/seam.deny
	$(call say,PURE,$<)
	$(Q)$(if $(SAN),:,tools/tidy/pure.sh $(O)/libpure.a $(O)/libabove.a)
	$(Q)touch $@

$(MSGC): $(wildcard tools/msgc/*.c tools/msgc/*.h)
	$(call say,HOSTCC,$@)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu17 $(WARN) -O1 -g -D_GNU_SOURCE $(filter %.c,$^) -o $@

# One run writes gen/wire/NOUN.h for each schema and gen/messages.c with the tables.
$(GEN): $(MSGC) $(SCHEMA)
	$(call say,MSGC,$@)
	$(Q)mkdir -p $(O)/gen/wire && $(MSGC) $(O)/gen $(SCHEMA)
# Only headers that changed are written, so only what includes them is compiled again.
$(O)/gen/wire/%.h: $(GEN)
	@:

$(O)/gen/messages.o: $(GEN)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c $< -o $@

$(O)/%.o: %.c | $(GEN)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c $< -o $@

$(O)/sluiced: $(call obj,$(MAIN)) $(O)/libsluice.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) $(LDLIBS) -o $@

$(O)/sluice: $(call obj,$(wildcard tools/sluice/*.c)) $(O)/libsluice.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) $(LDLIBS) $(shell pkg-config --libs $(CLI_PKGS)) -o $@

$(UNIT): LDLIBS += -lcmocka
$(UNIT) $(STRESS) $(BENCH): $(O)/%: $(O)/%.o $(O)/libsluice.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) $(LDLIBS) -o $@

$(O)/selftests/sim/sim_conformance: | $(O)/selftests/unit/test_conformance
$(SIM): $(O)/%: $(O)/%.o $(O)/libsim.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) $(LDLIBS) -o $@

# Fuzzers are clang's, with the sanitizers in all they link, and run on the simulated io.
FUZZ_CFLAGS := -std=gnu17 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
$(O)/fuzz/%.o: %.c | $(GEN)
	$(call say,FUZZ-CC,$@)
	$(Q)mkdir -p $(@D) && $(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -c $< -o $@
$(O)/libfuzz.a: $(patsubst $(O)/%,$(O)/fuzz/%,$(patsubst $(O)/gen/%,$(O)/$(O)/gen/%,$(SIM_OBJ)))
$(FUZZ): $(O)/%: $(O)/fuzz/%.o $(O)/libfuzz.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer $(filter %.o %.a,$^) $(LDLIBS) -o $@

# What is missing is installed first, so the flags that pkg-config gives are asked for once more.
run:
	$(Q)tools/deps.sh
	$(Q)$(MAKE) -j$(shell nproc) all
	$(O)/sluiced $(ARGS)

deps:
	tools/deps.sh kernel

check: all $(UNIT)
	$(Q)selftests/run unit $(UNIT)
stress: $(STRESS)
	$(Q)selftests/run stress $(STRESS)
sim: $(SIM)
	$(Q)selftests/run sim $(SIM)
fuzz: $(FUZZ)
bench: all $(BENCH)
	$(Q)selftests/bench/run $(O)
compat: all
	$(Q)selftests/run compat $(wildcard selftests/compat/test_*.sh)
# Other people's tests, each from a checkout of theirs: SUITES=DIR with librdkafka, franz-go,
# kafka-python and confluent-kafka-python below it.
suites: $(O)/sluiced
	$(Q)test -n "$(SUITES)" || { echo 'make suites SUITES=DIR: below DIR are checkouts of librdkafka, franz-go, kafka-python, confluent-kafka-python'; exit 2; }
	$(Q)rc=0; for s in librdkafka franz-go kafka-python confluent-kafka; do \
		for d in "$(SUITES)/$$s" "$(SUITES)/$$s-python"; do [ ! -d "$$d" ] || set -- "$$d"; done; \
		echo "$$s:"; O=$(O) selftests/suites/$$s.sh "$$@" || [ $$? = 77 ] || rc=1; set --; done; exit $$rc
# Everything that needs no second machine; its last line is the verdict.
test:
	$(Q)tools/deps.sh test
	$(Q)$(MAKE) -j$(shell nproc) tests
	$(Q)$(MAKE) run-tests
tests: all tidy $(UNIT) $(STRESS) $(SIM)
run-tests: tests
	$(Q)O=$(O) selftests/run all $(UNIT) $(STRESS) $(SIM) \
		$(wildcard selftests/bpf/test_*.sh selftests/crash/test_*.sh selftests/compat/test_*.sh)

C_FILES = $(shell find $(wildcard include userspace bpf selftests tools) -name '*.[ch]')
format:
	$(Q)clang-format -i $(C_FILES)
format-check:
	$(Q)clang-format --dry-run -Werror $(C_FILES)
tidy:
	$(call say,TIDY,tools/tidy/layers)
	$(Q)tools/tidy/tidy.sh
compdb:
	$(Q)tools/compdb.sh "$(CPPFLAGS) $(ALL_CFLAGS)" $(C_FILES) > compile_commands.json
install: all
	install -D -m 0755 $(O)/sluiced $(DESTDIR)$(PREFIX)/bin/sluiced
	install -D -m 0755 $(O)/sluice $(DESTDIR)$(PREFIX)/bin/sluice
	install -D -m 0644 docs/man/sluice.1 $(DESTDIR)$(PREFIX)/share/man/man1/sluice.1
	install -D -m 0644 docs/man/sluiced.8 $(DESTDIR)$(PREFIX)/share/man/man8/sluiced.8
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/share/doc/sluice
	sed -e 's|@BINDIR@|$(PREFIX)/bin|' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|' tools/systemd/sluiced.service.in \
		> $(DESTDIR)$(PREFIX)/lib/systemd/system/sluiced.service
	chmod 0644 $(DESTDIR)$(PREFIX)/lib/systemd/system/sluiced.service
	install -m 0644 docs/config.md docs/metrics.md docs/operations.md docs/disk-format.md $(DESTDIR)$(PREFIX)/share/doc/sluice
	$(Q)# What an operator changed is not overwritten.
	test -e $(DESTDIR)$(SYSCONFDIR)/sluice/server.properties || \
		install -D -m 0644 tools/systemd/server.properties $(DESTDIR)$(SYSCONFDIR)/sluice/server.properties
clean:
	$(Q)rm -rf $(O)
help:
	@echo 'make run       build and start a broker on 127.0.0.1:9092, data in ./data'
	@echo 'make test      every test that needs no second machine'
	@echo 'make all       build $(O)/sluiced and $(O)/sluice'
	@echo 'make deps      install the packages the build needs (Debian)'
	@echo 'make bpf       the programs for the kernel (with all, where clang, bpftool and libbpf are; BPF=0: without)'
	@echo 'make check | stress | sim | compat    one kind of test'
	@echo 'make suites SUITES=DIR         the tests of librdkafka, franz-go, kafka-python, confluent-kafka'
	@echo 'make fuzz      build the fuzzers (clang)'
	@echo 'make bench     paired figures'
	@echo 'make format | format-check | tidy | compdb | install | clean'
	@echo 'SEEDS=N runs N seeds of each simulation instead of the usual few'
	@echo 'V=1 shows commands, O=dir builds elsewhere, SAN=address,undefined or SAN=thread'

.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
