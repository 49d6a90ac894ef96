# Two commands do everything, `sh tools/boot` and `sh tools/test`: they see to make itself, then call these.
#   make boot         set up what is missing, then boot SeaBIOS and show how its memory map changes
#   make test         set up what is missing, then run every check and test but the long ones
#   make test-peers   what needs other programs to talk to: another QEMU, a Linux guest
#   make test-kvm     our machine on a real KVM, which a Linux inside QEMU has (a part of test-peers)
#   make test-long    what takes long: planted faults, and random examples that nobody tried before
#   make test-fresh   both of the README's commands on bare roots of Debian (a part of test-long, for root alone)
#   make test-free-threaded   memory and RCU on a CPython without a global lock, which is built from source, once
#   make soak         what takes hours: GUESTMAP_SOAK_S seconds (3600) for each of its tests
#   make fuzz         GUESTMAP_FUZZ_S seconds (60) of inputs made up for each reader of what strangers send
#   make audit        what is known of faults in the releases of tools/locked, where their list can be reached
#   make bench        how fast we are beside others
# BOOT_ARGS goes to `guestmap boot`, TEST_ARGS to pytest. docs/testing.md says what runs where.

VENV := .venv
BIN := $(VENV)/bin
BOOT_ARGS ?=
TEST_ARGS ?=
# Where a host forbids byte code, each program that a test starts would compile everything anew.
export PYTHONDONTWRITEBYTECODE :=
# QEMU 7.2, where tools/qemu72.sh had to unpack it.
ORACLE := $(CURDIR)/.oracle/qemu-7.2/starters
PYTEST := PATH="$(ORACLE):$$PATH" $(BIN)/pytest -n 2 --dist worksteal
# The newer QEMUs of tools/setup.sh peers, and the tests that are not about our own machine, which is like 7.2.
OTHERS := qemu-10.0 qemu-new
# Where the README's commands are tried on bare roots; the tests run on the last.
FRESH := bookworm trixie
ASKING := tests/inspect tests/domain tests/cli
FREE := .oracle/free-threaded
FREE_PYTEST := PYTHONPATH=src:$(FREE)/packages $(FREE)/bin/python3.13t -X gil=0 -m pytest -o addopts= -p no:cacheprovider
FUZZED := maps pci qmp gdb definitions options program traffic devices
GUESTMAP_FUZZ_S ?= 60

.PHONY: boot test test-peers test-kvm test-long test-fresh test-free-threaded soak fuzz audit check style bench clean

boot: $(VENV)/.installed-boot
	@tools/setup.sh firmware
	@$(BIN)/guestmap boot $(BOOT_ARGS)

# Half of the time a test waits for somebody: four workers keep two cores busy. Types are looked at meanwhile.
test: style
	@tools/setup.sh firmware oracle
	$(BIN)/mypy >$(VENV)/typed 2>&1 & \
	$(PYTEST) -n 4 -m "not peers and not long and not soak and not kvm" $(TEST_ARGS); tested=$$?; \
	wait $$!; typed=$$?; cat $(VENV)/typed; [ $$typed = 0 ] && exit $$tested

test-peers: $(VENV)/.installed-dev
	@tools/setup.sh firmware oracle peers
	$(PYTEST) -m "peers and not long and not soak" $(TEST_ARGS)
	for each in $(OTHERS); do GUESTMAP_QEMU_ROOT=$(CURDIR)/.oracle/$$each \
	    $(PYTEST) -m "qemu and not peers and not long and not soak" $(ASKING) $(TEST_ARGS) || exit; done

test-kvm: $(VENV)/.installed-dev
	@tools/setup.sh firmware oracle peers
	$(BIN)/pytest -s -m "not long" tests/peers/test_kvm.py $(TEST_ARGS)

test-long: $(VENV)/.installed-dev
	@tools/setup.sh firmware oracle peers debian
	$(PYTEST) -m long --timeout 1800 $(TEST_ARGS)
	$(PYTEST) --hypothesis-profile explore -m "hypothesis and not peers and not long and not soak" $(TEST_ARGS)

	[ "$$(id -u)" != 0 ] || $(MAKE) test-fresh

test-fresh:
	for each in $(FRESH); do tools/fresh.sh $$each 'sh tools/boot' || exit; done
	tools/fresh.sh $(lastword $(FRESH)) 'sh tools/test'

# On a CPython without a global lock: built once, which takes a quarter of an hour.
test-free-threaded: $(VENV)/.installed-dev
	@tools/free_threaded.sh $(FREE) && tools/setup.sh packages $(FREE)/packages
	$(FREE_PYTEST) -m "not peers and not long and not soak" tests/rcu tests/memory $(TEST_ARGS)

soak: $(VENV)/.installed-dev
	@tools/setup.sh firmware
	$(PYTEST) -m soak $(TEST_ARGS)
	@tools/free_threaded.sh $(FREE) && tools/setup.sh packages $(FREE)/packages
	$(FREE_PYTEST) -m soak tests/rcu tests/memory $(TEST_ARGS)
	$(MAKE) fuzz GUESTMAP_FUZZ_S=600

fuzz: $(VENV)/.installed-fuzz
	@tools/setup.sh firmware
	for each in $(FUZZED); do \
	    $(BIN)/python -m tests.fuzz $$each -max_total_time=$(GUESTMAP_FUZZ_S) || exit; done

audit: $(VENV)/.installed-audit
	for each in build dev; do \
	    $(BIN)/pip-audit --strict --require-hashes --disable-pip -r tools/locked/$$each.txt || exit; done

check: style
	$(BIN)/mypy

# All tests are read once before they run: what is compiled of them then, no worker compiles again.
style: $(VENV)/.installed-dev
	$(BIN)/pytest -qq --collect-only >$(VENV)/collected 2>&1 & \
	{ $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports; }; styled=$$?; \
	wait $$! || { cat $(VENV)/collected; exit 1; }; exit $$styled

bench: $(VENV)/.installed-dev
	@tools/setup.sh firmware
	@$(BIN)/python -m benchmarks

$(VENV)/.installed-%: pyproject.toml tools/locked/%.txt
	@tools/setup.sh python $*

clean:
	rm -rf $(VENV) .oracle .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
