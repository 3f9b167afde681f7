# make run    Recourse with its demo, until Ctrl-C       make test   every test
# make lint   style, types, import contracts              make lock   renew the lock files
PYTHON := $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
PY := .venv/bin/python

.PHONY: run test lint lock runtime development

run: runtime
	@$(PY) -m config.up --extras examples/demo

runtime:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) config/install.py requirements.txt

development: runtime
	@$(PYTHON) config/install.py requirements-dev.txt

# Twice: on SQLite everything, on PostgreSQL everything that a database could make a difference to.
test: development
	@$(PY) -m tests.browser_found
	$(PY) -m pytest -n 2 --dist loadgroup
	TEST_DATABASE=postgresql $(PY) -m pytest -n 2 --dist loadgroup -m "not browser and not acceptance and not one_database"

lint: development
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports
	SECRET_KEY=not-a-secret .venv/bin/mypy .
	.venv/bin/djlint templates --lint --quiet

lock: development
	.venv/bin/uv pip compile -q --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements.in -o requirements.txt
	.venv/bin/uv pip compile -q --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements.txt requirements-dev.in -o requirements-dev.txt
	echo uv | .venv/bin/uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -c requirements-dev.txt - -o requirements-uv.txt
