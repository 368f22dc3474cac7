# Chronovisor: one Makefile. `make help` lists what it does.
#
# Objects and programs go to build/$(MODE)/; MODE is release, asan, clang or fuzz. A room is a directory of
# sources that becomes one static library; libraries are linked in floor order (app -> debugger -> record -> core).

MODE   ?= release
B      := build/$(MODE)
PREFIX ?= /usr/local

CC_release := gcc
CC_asan    := gcc
CC_clang   := clang-14
CC_fuzz    := clang-14
CC         := $(CC_$(MODE))

OPT_release := -O2 -D_FORTIFY_SOURCE=2
OPT_clang   := -O2
# No sanitizer routine may run while guest state is in the FPU but the one that ends the process
# (docs/testing.md, "Sanitizers"): every check inline, no fake stacks.
OPT_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
               --param asan-instrumentation-with-call-threshold=1000000000 --param asan-use-after-return=0
LD_asan     := -fsanitize=address,undefined
OPT_fuzz    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
               -fsanitize-address-use-after-return=never -mllvm -asan-instrumentation-with-call-threshold=1000000000
LD_fuzz     := $(LD_asan)

CFLAGS  := -std=gnu11 -g -Wall -Wextra -Werror -fno-strict-aliasing -ffp-contract=off -fPIE \
           -fstack-protector-strong -fno-common -MMD -MP -I. -I$(B)/gen -D_GNU_SOURCE $(OPT_$(MODE))
LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack $(LD_$(MODE))

# core/ runs while guest state lives in the FPU: general registers only, and our own memory functions
# (docs/architecture.md, "The FPU boundary").
CORE_CFLAGS := -mgeneral-regs-only -fcf-protection=none -fno-builtin-memcpy -fno-stack-protector
RENAME := --redefine-sym memcpy=cv_memcpy --redefine-sym memmove=cv_memmove \
          --redefine-sym memset=cv_memset --redefine-sym memcmp=cv_memcmp
RENAME_asan := --redefine-sym __asan_memcpy=cv_memcpy --redefine-sym __asan_memset=cv_memset \
          --redefine-sym __asan_memmove=cv_memmove
RENAME_fuzz := $(RENAME_asan)

JSON_CFLAGS := $(shell pkg-config --cflags json-glib-1.0 2>/dev/null)
JSON_LIBS   := $(shell pkg-config --libs json-glib-1.0 2>/dev/null)

CORE_SRC := $(wildcard core/*.c core/*/*.c)
REC_SRC  := $(wildcard record/*.c)
DBG_SRC  := $(wildcard debugger/*.c debugger/*/*.c)
HOST_SRC := $(wildcard app/host/*.c)
APP_SRC  := $(filter-out app/main.c,$(wildcard app/*.c app/engine/*.c app/control/*.c))

obj = $(patsubst %.c,$(B)/%.o,$(1))
# host/ is apart from app so that tests can link the machine's needs without the program.
LIBS := $(B)/libcv-app.a $(B)/libcv-debugger.a $(B)/libcv-record.a $(B)/libcv-core.a $(B)/libcv-host.a
LINK_LIBS = -Wl,--start-group $(LIBS) -Wl,--end-group -llz4 -lxxhash -ldw -lelf -lZydis -lseccomp $(JSON_LIBS) -lpthread

.DELETE_ON_ERROR:
.PHONY: all help deps demo test test-quick soak bench asan lint fuzz install clean
all: $(B)/chronovisor

help:
	@echo 'make             build build/$(MODE)/chronovisor (MODE=release, asan, clang)'
	@echo 'make deps        install what Debian 12 packages this needs (root)'
	@echo 'make demo        record a real kernel crash and go back from it, end to end'
	@echo 'make test        every test that CI runs;  make test-quick: those of 3 minutes'
	@echo 'make soak        long runs: replays over all axes, kill -9, seeks'
	@echo 'make bench       figures, with the peer interleaved'
	@echo 'make asan        build and run unit tests under ASan and UBSan'
	@echo 'make lint        floors, symbols, headers, sizes, format'
	@echo 'make fuzz        fuzzers (clang-14)'
	@echo 'make install     DESTDIR= PREFIX=$(PREFIX)'

deps:
	@tests/support/deps.sh

$(B)/chronovisor: $(B)/app/main.o $(LIBS)
	$(CC) $(LDFLAGS) -o $@ $< $(LINK_LIBS)

$(B)/libcv-core.a: $(call obj,$(CORE_SRC))
$(B)/libcv-record.a: $(call obj,$(REC_SRC))
$(B)/libcv-debugger.a: $(call obj,$(DBG_SRC))
$(B)/libcv-host.a: $(call obj,$(HOST_SRC))
$(B)/libcv-app.a: $(call obj,$(APP_SRC))
$(B)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	ar rcsD $@ $^

$(B)/core/%.o: core/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CORE_CFLAGS) -c -o $@ $<
	@objcopy $(RENAME) $@
	$(if $(RENAME_$(MODE)),@objcopy $(RENAME_$(MODE)) $@)

$(B)/record/hash_wide.o: CFLAGS += -mavx2

$(B)/app/%.o: app/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(JSON_CFLAGS) -c -o $@ $<

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

# -- unit tests: one Criterion program a directory of tests/unit ---------------------------------
# ... and tests/diff/user: build/$(MODE)/unit/diff-user (tests/diff/system is a guest)
UNIT_DIRS := $(patsubst %/,%,$(sort $(dir $(wildcard tests/unit/*/*.c tests/unit/*/*/*.c tests/diff/user/*.c))))
unit_name = $(subst /,-,$(patsubst tests/%,%,$(patsubst tests/unit/%,%,$(1))))
UNIT_BINS := $(foreach d,$(UNIT_DIRS),$(B)/unit/$(call unit_name,$(d)))
UNIT_core-load := tests/support/images.c
define UNIT_RULE
$(B)/unit/$(call unit_name,$(1)): $(call obj,$(wildcard $(1)/*.c) $(UNIT_$(call unit_name,$(1)))) $(LIBS)
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(LINK_LIBS) -lcriterion -lm
endef
$(foreach d,$(UNIT_DIRS),$(eval $(call UNIT_RULE,$(d))))
.PHONY: unit
unit: $(UNIT_BINS)

# -- tests/bench/travel.c: what moving in a long trace costs ------------------------------------------
$(B)/bench/travel: $(call obj,tests/bench/travel.c) $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LINK_LIBS)

# -- fuzzers: tests/fuzz/fuzz_*.c, each one program (MODE=fuzz) ----------------------------------------
# In core/ coverage is counted inline; comparisons are traced, by calls, only where no guest can be running.
ifeq ($(MODE),fuzz)
$(B)/core/%.o: CFLAGS += -fsanitize-coverage=inline-8bit-counters,pc-table
$(B)/core/load/%.o $(B)/record/%.o $(B)/debugger/%.o: CFLAGS += -fsanitize=fuzzer-no-link
endif
FUZZERS   := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_LIBS := $(B)/libcv-debugger.a $(B)/libcv-record.a $(B)/libcv-core.a $(B)/libcv-host.a
FUZZ_trace  := tests/fuzz/lib/trace.c tests/support/heldfile.c $(addprefix tests/unit/record/,toy_vm.c scenario.c memfile.c)
FUZZ_sums   := $(FUZZ_trace)
FUZZ_decode := tests/unit/core/decode/oracle.c
FUZZ_insn   := tests/unit/core/translate/twin.c tests/unit/core/verify/verify.c
FUZZ_load   := tests/support/images.c
FUZZ_state  := tests/fuzz/lib/guest.c
FUZZ_linux  := tests/unit/debugger/toy_kernel.c
FUZZ_modes  := tests/fuzz/lib/modes.c tests/unit/core/verify/verify.c
define FUZZ_RULE
$(B)/fuzz/fuzz_$(1): $(call obj,tests/fuzz/fuzz_$(1).c tests/fuzz/lib/main.c $(FUZZ_$(1))) $(FUZZ_LIBS)
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS) -fsanitize=fuzzer -Wl,--wrap=_exit -o $$@ $$(filter %.o,$$^) \
		-Wl,--start-group $(FUZZ_LIBS) -Wl,--end-group -llz4 -lxxhash -ldw -lelf -lZydis -lm -lpthread
endef
$(foreach f,$(patsubst $(B)/fuzz/fuzz_%,%,$(FUZZERS)),$(eval $(call FUZZ_RULE,$(f))))
.PHONY: fuzzers
fuzzers: $(FUZZERS)

# -- guests -----------------------------------------------------------------------------------------
.PHONY: guests cloud-guest lx-guest mini-guests
mini-guests:
	@tests/guest/build.sh build/guest
guests: mini-guests
	@tests/support/guests.sh
cloud-guest:
	@tests/support/guests.sh cloud
lx-guest:
	@tests/support/guests.sh lx

# programs over record/ that tests/replay runs
WALKERS := $(addprefix $(B)/tests/replay/,damage stored walk)

# -- what people run ---------------------------------------------------------------------------------
demo: deps
	@$(MAKE) --no-print-directory all cloud-guest
	@tests/demo.sh

test: deps
	@tests/support/deps.sh qemu-system-x86
	@$(MAKE) --no-print-directory all unit guests $(WALKERS)
	@$(MAKE) --no-print-directory lx-guest
	@tests/run.sh full

test-quick:
	@$(MAKE) --no-print-directory all unit mini-guests $(WALKERS)
	@tests/run.sh quick

soak: deps
	@$(MAKE) --no-print-directory all guests $(B)/unit/diff-user $(WALKERS)
	@tests/run.sh soak

bench: deps
	@tests/support/deps.sh qemu-system-x86 qemu-utils
	@$(MAKE) --no-print-directory all guests
	@tests/bench/bench.py
	@tests/bench/travel.py

lint: all
	@tests/lint/lint.py

asan:
	@$(MAKE) --no-print-directory MODE=asan all unit mini-guests
	@tests/support/asan.sh

SECONDS ?= 60
fuzz: deps
	@tests/fuzz/run.sh $(SECONDS)

install: all
	install -D -m 755 $(B)/chronovisor $(DESTDIR)$(PREFIX)/bin/chronovisor
	install -D -m 644 debugger/gdb/chronovisor.py $(DESTDIR)$(PREFIX)/share/chronovisor/chronovisor.py
	install -D -m 644 docs/chronovisor.1 $(DESTDIR)$(PREFIX)/share/man/man1/chronovisor.1

$(WALKERS): %: %.o $(B)/tests/support/heldfile.o $(LIBS)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LINK_LIBS)

clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
