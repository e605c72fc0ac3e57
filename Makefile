# `make run` (the site with demo data), `make serve` (as in production) and `make test` (everything).
# Two things at once: types are checked while the browser is fetched and the first tests run.
MAKEFLAGS += --jobs=2
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ADDRESS ?= 127.0.0.1:8000

WORKERS ?= 2
DATA ?= .serve
SEED := $(or $(SEED),$(shell od -An -N2 -tu2 /dev/urandom | tr -d ' '))
ROUNDS ?= 10
EXAMPLES ?= 100

.PHONY: run serve test test-sqlite test-long fuzz load faults check check-scripts types clean messages screenshots bench bench-quick
.DELETE_ON_ERROR:

run: $(VENV)/run
	$(BIN)/python -m luckygas.testing.run --address $(ADDRESS)

# The form of production: PostgreSQL, Redis and several uvicorn workers; DATABASE_URL and REDIS_URL name other servers.
serve: $(VENV)/test
	$(BIN)/python -m luckygas.testing.serve $(DATA) --address $(ADDRESS) --workers $(WORKERS)

test: check test-sqlite
	TEST_ON=servers $(BIN)/python -m pytest -m "not long" --numprocesses 3 --dist worksteal
	TEST_ON=browser $(BIN)/python -m pytest -m "not long" --numprocesses 3 --dist worksteal

test-sqlite: $(VENV)/test $(VENV)/browser $(VENV)/deployment
	TEST_ON=sqlite $(BIN)/python -m pytest -m "not long" --numprocesses 2 --dist worksteal

# What takes long: kills and restarts, a standby, every role and page, odd telephones. CI runs it after `make test`.
test-long: $(VENV)/test $(VENV)/browser $(VENV)/deployment
	TEST_ON=servers $(BIN)/python -m pytest -m long --timeout 300 --numprocesses 2 --dist worksteal
	TEST_ON=browser $(BIN)/python -m pytest -m long --numprocesses 2 --dist worksteal

# Everything that may die, dies, in an order and at moments that the seed decides; `make test-long` has one short round.
faults: $(VENV)/test
	@echo SEED=$(SEED) ROUNDS=$(ROUNDS)
	TEST_ON=servers FAULT_SEED=$(SEED) FAULT_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest luckygas/tests/test_faults.py

# Every call of the API, with requests that the seed decides, and all of those that are made by rule.
fuzz: $(VENV)/test
	@echo SEED=$(SEED) EXAMPLES=$(EXAMPLES)
	TEST_ON=servers FUZZ_SEED=$(SEED) FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest luckygas/tests/test_openapi.py \
	    --timeout 0 --numprocesses 2

check: $(VENV)/test check-scripts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/shellcheck .ci/run luckygas/testing/*.sh $(addprefix deploy/,backup install.sh luckygas python restore rolling-restart)
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yml
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check --fail-level WARNING

# Node comes with the packages for tests: what is called `npm` or `node` is theirs.
NODE := PATH="$(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$$PATH"
# The types of the API's rows, from its schema.
API_TYPES = $(BIN)/python manage.py spectacular --lang en | $(NODE) openapi-typescript --output types/api.d.ts

check-scripts: $(VENV)/node
	$(NODE) biome ci .
	$(NODE) tsc
	$(NODE) tsc --project tsconfig.loose.json
	$(NODE) tsc --project tsconfig.worker.json
	$(NODE) node --test --test-isolation=none --import ./web/tests/js/page.mjs "*/tests/js/*.test.mjs"
	$(API_TYPES) --check || { echo "types/api.d.ts is stale: run make types"; exit 1; }

types: $(VENV)/node
	$(API_TYPES)

# Every page, for the README.
screenshots: $(VENV)/browser $(VENV)/test
	$(BIN)/python -m luckygas.testing.screenshots

# The catalogue of words; needs GNU gettext. The compiled one is committed, so that nothing else does.
messages:
	$(BIN)/python manage.py makemessages --locale zh_Hant --no-location --no-wrap --ignore .venv --ignore node_modules --ignore staticfiles
	$(BIN)/python manage.py makemessages --locale zh_Hant --no-location --no-wrap --ignore .venv --ignore node_modules --ignore staticfiles --domain djangojs
	$(BIN)/python manage.py compilemessages --locale zh_Hant --ignore .venv

$(VENV)/run: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/test: requirements.txt requirements-test.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-test.txt
	touch $(VENV)/run $@

$(VENV)/node: package-lock.json | $(VENV)/test
	$(NODE) npm ci --loglevel=error --no-audit --no-fund
	touch $@

$(VENV)/browser: luckygas/testing/install_browser.sh
	luckygas/testing/install_browser.sh
	mkdir -p $(VENV) && touch $@

# After the browser: apt serves one at a time.
$(VENV)/deployment: luckygas/testing/prepare_deployment.sh | $(VENV)/browser
	luckygas/testing/prepare_deployment.sh $@
	touch $@

# Beside the peers, in a quarter of an hour (bench/README.md); npm only where Node is.
bench: bench/.venv/made
	bench/.venv/bin/python -m bench.run --json bench/results/full.json --readme

bench-quick: bench/.venv/made
	bench/.venv/bin/python -m bench.run --quick

# A site as in production under the load of a large depot, then three and ten times that (bench/README.md).
load: bench/.venv/made
	bench/.venv/bin/python -m bench.stress --readme

bench/.venv/made: bench/requirements.txt requirements.txt requirements-test.txt bench/peers/node/package.json
	$(PYTHON) -m venv bench/.venv
	bench/.venv/bin/pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	if command -v npm; then npm install --silent --no-audit --no-fund --no-package-lock --prefix bench/peers/node; fi
	touch $@

clean:
	rm -rf $(VENV) node_modules bench/.venv bench/.build bench/peers/node/node_modules db.sqlite3* staticfiles media .serve .mypy_cache .pytest_cache .ruff_cache
