# `make help` lists the targets: what stands behind `##`.
# Two jobs at once: types are checked while the browser is fetched and the first tests run, and where one run of the
# tests waits, another one goes on.
MAKEFLAGS += --jobs=2
# A container often forbids to keep what Python compiled; then each of the many processes compiles all anew.
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ADDRESS ?= 127.0.0.1:8000

WORKERS ?= 2
DATA ?= .serve
SEED := $(or $(SEED),$(shell od -An -N2 -tu2 /dev/urandom | tr -d ' '))
ROUNDS ?= 10
EXAMPLES ?= 100

.PHONY: run help serve test test-sqlite test-servers test-browser test-long fuzz load faults check check-scripts types clean messages screenshots bench bench-quick
.DELETE_ON_ERROR:

run: $(VENV)/run ## the site with a day of demo orders (ADDRESS=127.0.0.1:8000)
	$(BIN)/python -m luckygas.testing.run --address $(ADDRESS)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# DATABASE_URL and REDIS_URL name other servers.
serve: $(VENV)/test ## the site as in production: PostgreSQL, Redis, several workers (ADDRESS, WORKERS=2, DATA=.serve)
	$(BIN)/python -m luckygas.testing.serve $(DATA) --address $(ADDRESS) --workers $(WORKERS)

test: check test-sqlite test-servers test-browser ## all tests but the long ones, in some minutes

test-sqlite: ## of them those that need neither PostgreSQL nor a browser
test-servers: ## those on PostgreSQL and Redis
test-browser: ## those in a browser
test-sqlite test-servers test-browser: test-%: $(VENV)/test $(VENV)/browser $(VENV)/deployment
	TEST_ON=$* $(BIN)/python -m pytest -m "not long" --numprocesses 2 --dist worksteal

# CI runs it after `make test`.
test-long: $(VENV)/test $(VENV)/browser $(VENV)/deployment ## the long tests: kills and restarts, a standby, every role and page
	TEST_ON=servers $(BIN)/python -m pytest -m long --timeout 300 --numprocesses 2 --dist worksteal
	TEST_ON=browser $(BIN)/python -m pytest -m long --numprocesses 2 --dist worksteal

# `make test-long` has one short round.
faults: $(VENV)/test ## kill, freeze and cut off everything, in an order that the seed decides (SEED, ROUNDS=10)
	@echo SEED=$(SEED) ROUNDS=$(ROUNDS)
	TEST_ON=servers FAULT_SEED=$(SEED) FAULT_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest luckygas/tests/test_faults.py

fuzz: $(VENV)/test ## every operation of the API with requests made from its schema (SEED, EXAMPLES=100)
	@echo SEED=$(SEED) EXAMPLES=$(EXAMPLES)
	TEST_ON=servers FUZZ_SEED=$(SEED) FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest luckygas/tests/test_openapi.py \
	    --timeout 0 --numprocesses 2

check: $(VENV)/test check-scripts ## formats, linters, types
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

check-scripts: $(VENV)/node ## the same for JavaScript, and its tests
	$(NODE) biome ci .
	$(NODE) tsc
	$(NODE) tsc --project tsconfig.loose.json
	$(NODE) tsc --project tsconfig.worker.json
	$(NODE) node --test --test-isolation=none --import ./web/tests/js/page.mjs "*/tests/js/*.test.mjs"
	$(API_TYPES) --check || { echo "types/api.d.ts is stale: run make types"; exit 1; }

types: $(VENV)/node ## types/api.d.ts, from the API's schema
	$(API_TYPES)

screenshots: $(VENV)/browser $(VENV)/test ## the pictures in docs/pictures/
	$(BIN)/python -m luckygas.testing.screenshots

# The compiled catalogue is committed, so that nothing else needs GNU gettext.
messages: ## gather and compile the translations; needs GNU gettext
	$(BIN)/python manage.py makemessages --locale zh_Hant --no-location --no-wrap --ignore .venv --ignore node_modules --ignore staticfiles
	$(BIN)/python manage.py makemessages --locale zh_Hant --no-location --no-wrap --ignore .venv --ignore node_modules --ignore staticfiles --domain djangojs
	$(BIN)/python manage.py compilemessages --locale zh_Hant --ignore .venv

$(VENV)/run: requirements.txt
	@echo "Installing Python packages into $(VENV)/, once: one to three minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/test: requirements.txt requirements-test.txt
	@echo "Installing Python packages into $(VENV)/, once: two to five minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check -r requirements-test.txt
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

bench: bench/.venv/made ## measure beside other servers, in a quarter of an hour; writes docs/benchmarks.md
	bench/.venv/bin/python -m bench.run --json bench/results/full.json --docs

bench-quick: bench/.venv/made ## the same, small, in a minute
	bench/.venv/bin/python -m bench.run --quick

load: bench/.venv/made ## a site as in production under one, three and ten times its load; writes docs/benchmarks.md
	bench/.venv/bin/python -m bench.stress --docs

# npm only where Node is.
bench/.venv/made: bench/requirements.txt requirements.txt requirements-test.txt bench/peers/node/package.json
	$(PYTHON) -m venv bench/.venv
	bench/.venv/bin/pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	if command -v npm; then npm install --silent --no-audit --no-fund --no-package-lock --prefix bench/peers/node; fi
	touch $@

clean: ## delete everything that make has made, the demo's data too
	rm -rf $(VENV) node_modules bench/.venv bench/.build bench/peers/node/node_modules db.sqlite3* staticfiles media .serve .mypy_cache .pytest_cache .ruff_cache
