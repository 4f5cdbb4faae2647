# What the README shows. Every target installs first; `make install` does nothing when nothing changed.
PYTHON ?= python3
PORT ?=
UV_VERSION := 0.13.8
BIN := .venv/bin
STAMP := .venv/.installed
# A server is a dozen processes, and the tests start hundreds. Where the environment forbids to keep
# bytecode, each of them compiles every module that it imports.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: install demo serve test test-fast test-long loadtest interop docs lint lock

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else f"chatterbox-serve needs python 3.11 or 3.12; {sys.executable} is {v[0]}.{v[1]}. Set PYTHON=.")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV=.venv $(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: install
	$(BIN)/chatterbox-serve demo $(if $(PORT),--port $(PORT))

serve: install
	$(BIN)/chatterbox-serve serve $(if $(PORT),--port $(PORT))

# What CI runs, with no model hub. Tests without a server wait for a good part of their time, so three
# workers keep two cores busy. The tests with a server share one Ray cluster. CONTRIBUTING.md says
# what each lane proves.
PYTEST := HF_HUB_OFFLINE=1 $(BIN)/python -m pytest
test: install
ifdef TESTS
	$(PYTEST) $(TESTS)
else
	OMP_NUM_THREADS=1 $(PYTEST) -n 3 --dist loadfile --ignore=tests/deployments
	$(PYTEST) tests/deployments
endif

# No server, no full-size model, no test or file that takes seconds.
NOT_FAST := deployments training benchmarks loadtests docs
test-fast: install
	OMP_NUM_THREADS=1 $(PYTEST) -n 3 --dist loadfile $(NOT_FAST:%=--ignore=tests/%) -m "not long and not full"

# The repetitions: fifty races per point, full-size weights, five storms, the configs of clusters.
# Properties are tried on other examples than in `make test`, and on more of them.
test-long: install
	OMP_NUM_THREADS=1 $(PYTEST) -n 3 --dist loadfile --ignore=tests/deployments -m long
	OMP_NUM_THREADS=1 $(PYTEST) -n 3 --dist loadfile --hypothesis-profile=random -m hypothesis
	$(PYTEST) tests/deployments -m long

# Some four minutes; the report is in loadtests/out.
loadtest: install
	$(BIN)/python -m loadtests.short

# Other vendors' clients, each in an environment of its own in build/interop, against a server of its
# own. The tables go into docs/interop.md. ONLY: parts of the clients' names.
interop: install
	$(BIN)/python -m interop.run --write $(if $(ONLY),--clients "$(ONLY)")
	$(if $(ONLY),,$(BIN)/python -m interop.agents --write)
	$(if $(ONLY),,$(BIN)/python -m interop.realtime --write)

# The site, in build/docs. Every warning is an error, and so is a link that leads nowhere.
docs: install
	$(BIN)/python docs/generate.py --check
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs
	$(PYTEST) tests/docs/test_links.py

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/deptry app deployments
	$(BIN)/deptry --ignore DEP002,DEP004 loadtests benchmarks training tests docs findings

# Versions and hashes, no index addresses. pyproject.toml says why versions differ from upstream's pins.
lock:
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --quiet --upgrade pyproject.toml --group dev \
		--output-file requirements.lock
