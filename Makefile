# `make score` grades this repository's own service, `make test` runs the tests; either installs what it needs first.

TOOLS := .tools
TOXIPROXY := github.com/Shopify/toxiproxy/v2
TOXIPROXY_VERSION := v2.12.0
# An uv that is there is used; else one is installed into this folder, by whichever of Python's ways works.
UV := $(or $(shell command -v uv),$(TOOLS)/bin/uv)
BIN := .venv/bin
# Hundreds of processes of the suite import the same modules; without bytecode each would compile them anew.
unexport PYTHONDONTWRITEBYTECODE
INSTALLED := .venv/.installed
GRADER := .venv/.grader
STARVED := tests/grading/starved
HOSTILE := tests/hostile

.PHONY: score test long hostile starved check format lint types prose site small coverage real-toxiproxy promtool chromium images bench clean

score: $(GRADER)
	$(BIN)/grading score . --runtime process $(ARGS)

# Slow tests mostly wait. Those that grade whole submissions are never more than there are processors (tests/conftest.py).
test: $(INSTALLED)
	$(BIN)/pytest -q -m "not slow" -n auto
	$(BIN)/pytest -m "slow and not long" -n 3 --ignore $(STARVED) --ignore $(HOSTILE)

# What takes minutes by itself: hand-outs, halves, other contracts, containers, the lesson, a sample of the calibration.
long: $(INSTALLED)
	$(BIN)/pytest -m long -n 3

# Hostile submissions mostly wait; some burn what processors there are.
hostile: $(INSTALLED)
	$(BIN)/pytest -q -m "slow and not long" -n 3 $(HOSTILE)

# Gradings that are starved on purpose would starve others.
starved: $(INSTALLED)
	$(BIN)/pytest $(STARVED)

# What is worth running before every commit: under a minute.
check: format lint types prose small

format: $(INSTALLED)
	$(BIN)/ruff format --check

lint: $(INSTALLED)
	$(BIN)/ruff check

types: $(INSTALLED)
	$(BIN)/mypy

# Spelling, and the rules of tests/prose.toml.
prose: $(INSTALLED)
	$(BIN)/codespell
	$(BIN)/pytest -q tests/test_prose.py

# The pages as a site, in build/site. A broken link fails.
site: $(UV)
	$(UV) run --frozen --isolated --group site mkdocs build --strict --config-file docs/site/mkdocs.yml

# These never wait, so more of them than there are processors would only collect the tests more often.
small: $(INSTALLED)
	$(BIN)/pytest -q -m "not slow and not medium" -n $(shell getconf _NPROCESSORS_ONLN) $(ARGS)

# The slow tests run the rest: what starts services and grades them.
coverage: $(INSTALLED)
	$(BIN)/pytest -q -m "not slow" -n auto --cov --cov-report=term $(ARGS)

bench: $(INSTALLED)
	$(BIN)/python benchmarks/grading_time.py $(ARGS)

# The real fault proxy, for those who have Go; the grader finds it on PATH or by TOXIPROXY_SERVER.
real-toxiproxy: $(TOOLS)/bin/toxiproxy-server

$(TOOLS)/bin/toxiproxy-server:
	mkdir -p $(TOOLS)/go
	GOBIN=$(abspath $(TOOLS)/go) go install $(TOXIPROXY)/cmd/server@$(TOXIPROXY_VERSION)
	mkdir -p $(TOOLS)/bin
	mv $(TOOLS)/go/server $@

# Prometheus's tool for the tests of alert rules, from the package of Debian and its kin. Found by PROMTOOL or on PATH.
promtool: $(TOOLS)/bin/promtool

$(TOOLS)/bin/promtool:
	mkdir -p $(TOOLS)/bin $(TOOLS)/prometheus
	cd $(TOOLS)/prometheus && apt-get download prometheus && dpkg-deb --extract prometheus_*.deb .
	mv $(TOOLS)/prometheus/usr/bin/promtool $@

# A browser for the tests of the HTML pages, from the package of Debian and its kin. Found by CHROMIUM or on PATH.
chromium:
	command -v chromium >/dev/null \
		|| { apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends chromium fonts-dejavu-core; }

# Images for the compose stack on machines that can pull none. They need Go; the names go into .env or the environment.
images: $(TOOLS)/toxiproxy/server
	docker build --file docker/toxiproxy/Dockerfile --tag localhost/llm-exam/toxiproxy $(TOOLS)/toxiproxy
	docker build --file chaos/Dockerfile --target qdrant --build-arg PYTHON_IMAGE --tag localhost/llm-exam/qdrant .
	@printf '%s\n' TOXIPROXY_IMAGE=localhost/llm-exam/toxiproxy QDRANT_IMAGE=localhost/llm-exam/qdrant

$(TOOLS)/toxiproxy/server:
	mkdir -p $(@D)
	CGO_ENABLED=0 GOBIN=$(abspath $(@D)) \
		go install $(TOXIPROXY)/cmd/server@$(TOXIPROXY_VERSION) $(TOXIPROXY)/cmd/cli@$(TOXIPROXY_VERSION)

$(INSTALLED): pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --quiet --compile-bytecode
	touch $@ $(GRADER)

# Half of all packages, and half of the time; what else is there stays.
$(GRADER): pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --quiet --compile-bytecode --inexact --no-default-groups --group grading
	touch $@

$(TOOLS)/bin/uv:
	python3 -m venv $(TOOLS) 2>/dev/null && $(TOOLS)/bin/pip install --quiet uv \
		|| python3 -m pip install --quiet --target $(TOOLS) uv

clean:
	rm -rf .venv $(TOOLS) .mypy_cache .ruff_cache .pytest_cache
