# `make` lists what there is. Nothing here needs more than make, a POSIX shell and Python 3.11 or newer.
# Written for GNU make 3.81 (what macOS has) and later. Paths are relative, so the checkout's own path may hold spaces.

VENV := .venv
PY := $(VENV)/bin/python

# Stamps inside .venv: the venv stands / `magpie` is installed / the tools of the tests are installed too.
MADE := $(VENV)/.made
RUN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help demo test soak guards bench check format lock

help:
	@echo 'make demo     try Magpie in the browser: no account, no key        (make demo ARGS="--port 8090")'
	@echo 'make test     run all tests                                        (make test ARGS="tests/test_docs.py -x")'
	@echo 'make soak     play 10,000 schedules of failures, others each time  (make soak SECONDS=3600)'
	@echo 'make guards   take the guards of the promise out, one by one: do the tests notice?'
	@echo 'make bench    Magpie measured against a floor, some minutes         (make bench ARGS="1 50 --platform telegram")'
	@echo 'make check    lint, format, types, import rules'
	@echo 'make format   put the code in its form'
	@echo 'make lock     look for newer versions of the dependencies, and write them to requirements.lock'
	@echo
	@echo 'The first run makes .venv and installs into it. Another Python than the first one found: make demo PYTHON=/path/to/python3'

demo: $(RUN)
	@$(VENV)/bin/magpie demo $(ARGS)

# What is compiled is kept, also where the environment forbids it: the tests start hundreds of processes.
test: $(DEV)
	@PYTHONDONTWRITEBYTECODE= $(PY) -m pytest -n 4 --dist worksteal $(ARGS)

soak: $(DEV)
	@$(PY) -m tests.faults.soak

guards: $(DEV)
	@$(PY) -m tests.faults.guards $(ARGS)

check: $(DEV)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo --no-cache
	$(PY) -m pytest -q tests/test_architecture.py

bench: $(DEV)
	@$(PY) -m bench $(ARGS)

format: $(DEV)
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

# A venv of its own, so that what is tried by hand in .venv never gets into the lock.
LOCK_HEADER := \# Versions that the tests have passed with, used as constraints: pip install -c requirements.lock .\n\# Written by `make lock`; the bounds that the code needs stand in pyproject.toml.\n
lock: $(MADE)
	@rm -rf $(VENV)/lock && $(PY) -m venv $(VENV)/lock
	@echo 'magpie: resolving all dependencies anew (a minute or two)'
	@$(VENV)/lock/bin/python -m pip install -qq --disable-pip-version-check -e '.[dev]'
	@$(VENV)/lock/bin/python -m pip freeze --exclude-editable > $(VENV)/lock/frozen
	@{ printf '$(LOCK_HEADER)'; LC_ALL=C sort -f -t= -k1,1 $(VENV)/lock/frozen; } > requirements.lock
	@rm -rf $(VENV)/lock
	@echo 'magpie: requirements.lock is written; now run make test'

# ── .venv ────────────────────────────────────────────────────────────────────────────────────────────────────────────

define find_python
found=; old=; bare=; \
for python in "$(PYTHON)" python3.14 python3.13 python3.12 python3.11 python3 python; do \
  [ -n "$$python" ] || continue; \
  if ! "$$python" -c 'import sys' 2>/dev/null; then \
    [ "$$python" != "$(PYTHON)" ] || { echo "magpie: PYTHON=$(PYTHON) does not run. Give the path of a Python 3.11 or newer." >&2; exit 1; }; \
  elif ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
    old=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
    [ "$$python" != "$(PYTHON)" ] || break; \
  elif ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
    bare=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
    [ "$$python" != "$(PYTHON)" ] || break; \
  else \
    found=$$python; break; \
  fi; \
done; \
if [ -z "$$found" ] && [ -n "$$bare" ]; then \
  echo "magpie: Python $$bare is here, but without its venv module. On Debian or Ubuntu bring it with" >&2; \
  echo "    sudo apt install python$$bare-venv" >&2; \
  echo "then say make again. (Elsewhere: install Python from python.org, and say make PYTHON=/path/to/python3.)" >&2; \
  exit 1; \
elif [ -z "$$found" ]; then \
  echo "magpie: this needs Python 3.11 or newer$${old:+; what is here is Python $$old}. Ways to get one:" >&2; \
  echo "    Debian 12+, Ubuntu 24.04+:  sudo apt install python3 python3-venv" >&2; \
  echo "    macOS with Homebrew:        brew install python@3.13" >&2; \
  echo "    anywhere, with pyenv:       pyenv install 3.13 && pyenv local 3.13" >&2; \
  echo "    anywhere else:              https://www.python.org/downloads/" >&2; \
  echo "then say make again. If it stands in an unusual place: make demo PYTHON=/path/to/python3" >&2; \
  exit 1; \
fi
endef

# install(what to install, words for it): pip says nothing but errors, so dots show that it is alive.
define install
printf 'magpie: installing %s into $(VENV) (once; a minute or so) ' $(2); \
( while sleep 2 >/dev/null 2>&1 && kill -0 $$$$ 2>/dev/null; do printf .; done ) & dots=$$!; \
if $(PY) -m pip install -qq --disable-pip-version-check --no-input -c requirements.lock -e $(1); then \
  kill $$dots 2>/dev/null; echo ' done'; \
else \
  kill $$dots 2>/dev/null; echo; \
  echo 'magpie: the installation did not succeed; what pip said stands above.' >&2; \
  echo 'If it could not reach the package index: is there a network, or is a proxy needed (export HTTPS_PROXY=http://host:port)?' >&2; \
  echo 'Say make again to go on where it stopped; make clean-venv first if $(VENV) itself seems broken.' >&2; \
  exit 1; \
fi
endef

# A venv that was moved, or whose Python is gone, is made anew: its scripts name the old place.
MADE_FOR := $(shell $(PY) -c 'print(open("$(MADE)").read())' 2>/dev/null)
ifneq "$(MADE_FOR)" "$(CURDIR)"
.PHONY: $(MADE)
endif

$(MADE):
	@if [ ! -e $@ ] && $(PY) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  echo 'magpie: using the $(VENV) that is here'; exit 0; \
	fi; \
	$(find_python); \
	echo "magpie: making $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv --clear $(VENV) || { echo 'magpie: $(VENV) could not be made: is this directory writable, and is there space?' >&2; exit 1; }
	@printf '%s\n' "$(CURDIR)" > $@

# Under `make -j demo test` only one pip runs: the greater installation stands for the smaller.
ifneq ($(filter test soak guards bench check format $(DEV),$(MAKECMDGOALS)),)
$(RUN): $(DEV)
endif

$(RUN): $(MADE) pyproject.toml requirements.lock
	@if [ -e $(DEV) ] && ! [ pyproject.toml -nt $(DEV) ] && ! [ requirements.lock -nt $(DEV) ] && ! [ $(MADE) -nt $(DEV) ]; then :; else \
	  $(call install,.,magpie); fi
	@touch $@

$(DEV): $(MADE) pyproject.toml requirements.lock
	@$(call install,'.[dev]','magpie and what its tests need')
	@touch $@

.PHONY: clean-venv
clean-venv:
	rm -rf $(VENV)
