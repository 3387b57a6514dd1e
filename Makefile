# The doors of the project. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)
DURATION ?= 0
VENV := build/venv

.PHONY: help setup deps build test unit asan tsan e2e check format demo bench clean

help: ## This list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: ## Install what the build and the tests need (Debian packages by apt-get, Python packages in build/venv)
	scripts/setup.sh

deps: | setup ## Build the third-party sources once (xDS protos, AWS-LC) into build/deps
	scripts/deps.sh

build: deps ## Build build/release/sennit and build/release/sennit-proxy
	cmake --preset release
	cmake --build --preset release -j $(JOBS)

test: build unit e2e ## Unit tests, end-to-end tests on the release build (sanitizers: make asan, make tsan)

unit: deps ## Unit tests
	cmake --preset debug
	cmake --build --preset debug -j $(JOBS)
	ctest --test-dir build/debug -j $(JOBS) --output-on-failure --progress

asan: deps ## Unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
	cmake --preset asan
	cmake --build --preset asan -j $(JOBS)
	ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 \
	  ctest --test-dir build/asan -j $(JOBS) --output-on-failure --progress

tsan: deps ## Unit tests under ThreadSanitizer
	cmake --preset tsan
	cmake --build --preset tsan -j $(JOBS)
	TSAN_OPTIONS=halt_on_error=1:suppressions=$(CURDIR)/tests/tsan.supp \
	  ctest --test-dir build/tsan -j $(JOBS) --output-on-failure --progress

e2e: build ## End-to-end tests: real binaries, real peers
	$(VENV)/bin/python -m pytest tests -n $(JOBS) -q

check: | setup ## Format, lint, include arrows, names in docs
	scripts/check.sh

format: ## Format the sources in place
	git ls-files 'src/*.cc' 'src/*.h' | xargs clang-format-14 -i

demo: build ## Start the bookinfo example with traffic and a live table (DURATION=30 to end by itself)
	build/release/sennit demo examples/bookinfo --duration $(DURATION)

bench: build ## Instructions, CPU time and memory per request beside Envoy, nginx, HAProxy and nghttpx
	$(VENV)/bin/python bench/bench.py

clean: ## Remove what was built (third-party builds are kept: rm -r build/deps for these)
	rm -rf build/release build/debug build/asan build/tsan
