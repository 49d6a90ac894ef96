# Two commands do everything on a fresh Debian or Ubuntu:
#   make boot   set up what is missing, then boot SeaBIOS and show how its memory map changes
#   make test   set up what is missing, then run every check and test
# BOOT_ARGS goes to `guestmap boot`, TEST_ARGS to pytest.

VENV := .venv
BIN := $(VENV)/bin
BOOT_ARGS ?=
TEST_ARGS ?=

.PHONY: boot test check bench clean

boot: $(VENV)/.installed-all
	@tools/setup.sh firmware
	@$(BIN)/guestmap boot $(BOOT_ARGS)

test: check
	@tools/setup.sh firmware oracle
	$(BIN)/pytest -n 2 --dist loadfile $(TEST_ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: $(VENV)/.installed-dev
	@tools/setup.sh firmware
	@$(BIN)/python -m benchmarks

$(VENV)/.installed-%: pyproject.toml
	@tools/setup.sh python $*

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
