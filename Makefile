# `make help` lists the targets with the texts after `##`.
# Two jobs at once: type checks run while the browser is downloaded and the first tests run, and one test run continues
# while another waits.
MAKEFLAGS += --jobs=2
# Containers often set this variable; then each of the many processes compiles every module again.
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

run: $(VENV)/run ## run the site with demo orders (ADDRESS=127.0.0.1:8000)
	$(BIN)/python -m luckygas.testing.run --address $(ADDRESS)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# DATABASE_URL and REDIS_URL select other servers.
serve: $(VENV)/test ## run the site as in production: PostgreSQL, Redis, several workers (ADDRESS, WORKERS=2, DATA=.serve)
	$(BIN)/python -m luckygas.testing.serve $(DATA) --address $(ADDRESS) --workers $(WORKERS)

test: check test-sqlite test-servers test-browser ## the checks, and all tests except the long ones; takes some minutes

test-sqlite: ## only the tests that need neither PostgreSQL nor a browser
test-servers: ## only the tests on PostgreSQL and Redis
test-browser: ## only the tests in a browser
test-sqlite test-servers test-browser: test-%: $(VENV)/test $(VENV)/browser $(VENV)/deployment
	TEST_ON=$* $(BIN)/python -m pytest -m "not long" --numprocesses 2 --dist worksteal

# CI runs this after `make test`.
test-long: $(VENV)/test $(VENV)/browser $(VENV)/deployment ## only the long tests: kills and restarts, a standby, every role and page
	TEST_ON=servers $(BIN)/python -m pytest -m long --timeout 300 --numprocesses 2 --dist worksteal
	TEST_ON=browser $(BIN)/python -m pytest -m long --numprocesses 2 --dist worksteal

# `make test-long` runs one short round of this test.
faults: $(VENV)/test ## kill, freeze and disconnect processes in an order derived from the seed (SEED, ROUNDS=10)
	@echo SEED=$(SEED) ROUNDS=$(ROUNDS)
	TEST_ON=servers FAULT_SEED=$(SEED) FAULT_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest luckygas/tests/test_faults.py

fuzz: $(VENV)/test ## send requests generated from the schema to every API operation (SEED, EXAMPLES=100)
	@echo SEED=$(SEED) EXAMPLES=$(EXAMPLES)
	TEST_ON=servers FUZZ_SEED=$(SEED) FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest luckygas/tests/test_openapi.py \
	    --timeout 0 --numprocesses 2

check: $(VENV)/test check-scripts ## check formats, lint rules, types, scripts, migrations and settings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/shellcheck .ci/run luckygas/testing/*.sh $(addprefix deploy/,backup install.sh luckygas python restore rolling-restart)
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yml
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check --fail-level WARNING

# Uses the Node of the Python test packages, so `npm` and `node` need not be installed.
NODE := PATH="$(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$$PATH"
# Writes TypeScript types of the API, from its schema.
API_TYPES = $(BIN)/python manage.py spectacular --lang en | $(NODE) openapi-typescript --output types/api.d.ts

check-scripts: $(VENV)/node ## check JavaScript, and run its tests
	$(NODE) biome ci .
	$(NODE) tsc
	$(NODE) tsc --project tsconfig.loose.json
	$(NODE) tsc --project tsconfig.worker.json
	$(NODE) node --test --test-isolation=none --import ./web/tests/js/page.mjs "*/tests/js/*.test.mjs"
	$(API_TYPES) --check || { echo "types/api.d.ts is stale: run make types"; exit 1; }

types: $(VENV)/node ## generate types/api.d.ts from the API's schema
	$(API_TYPES)

screenshots: $(VENV)/browser $(VENV)/test ## take the pictures in docs/pictures/
	$(BIN)/python -m luckygas.testing.screenshots

# The compiled catalogue is committed, so only this target needs GNU gettext.
messages: ## collect and compile the translations; needs GNU gettext
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

# Runs after the browser's installation, because apt allows only one process at a time.
$(VENV)/deployment: luckygas/testing/prepare_deployment.sh | $(VENV)/browser
	luckygas/testing/prepare_deployment.sh $@
	touch $@

bench: bench/.venv/made ## compare with other servers, in about 15 minutes; writes docs/benchmarks.md
	bench/.venv/bin/python -m bench.run --json bench/results/full.json --docs

bench-quick: bench/.venv/made ## a short bench run, in about a minute
	bench/.venv/bin/python -m bench.run --quick

load: bench/.venv/made ## test a production-like site at 1, 3 and 10 times its usual load; writes docs/benchmarks.md
	bench/.venv/bin/python -m bench.stress --docs

# The Node server takes part only if npm is installed.
bench/.venv/made: bench/requirements.txt requirements.txt requirements-test.txt bench/peers/node/package.json
	$(PYTHON) -m venv bench/.venv
	bench/.venv/bin/pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	if command -v npm; then npm install --silent --no-audit --no-fund --no-package-lock --prefix bench/peers/node; fi
	touch $@

clean: ## delete installed packages, caches, and the databases and uploads of make run and make serve
	rm -rf $(VENV) node_modules bench/.venv bench/.build bench/peers/node/node_modules db.sqlite3* staticfiles media .serve .mypy_cache .pytest_cache .ruff_cache
