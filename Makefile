# SPDX-License-Identifier: Apache-2.0
#
# The front door. CMakeLists.txt is the build; this file only spares the typing.

BUILD      ?= build
BUILD_TYPE ?= RelWithDebInfo
PREFIX     ?= /usr/local
JOBS       ?= $(shell nproc 2>/dev/null || echo 2)
# More options for CMake, for example OPTIONS=-DEDB_WERROR=OFF; and what to build.
OPTIONS    ?=
TARGET     ?= all

# The generator is chosen once, when the build directory is new.
generator = $(if $(wildcard $(BUILD)/CMakeCache.txt),,$(if $(shell command -v ninja 2>/dev/null),-G Ninja))
launcher  = $(if $(shell command -v ccache 2>/dev/null),-DCMAKE_C_COMPILER_LAUNCHER=ccache)

.PHONY: all demo test asan tsan check format bench-kv bench-cache bench-python install python deb fuzz proof clean help

all: ## build the library, the command and the tests in build/
	@command -v cmake >/dev/null || { echo "cmake is missing: run tools/setup."; exit 1; }
	@cmake -S . -B $(BUILD) $(generator) $(launcher) --log-level=WARNING \
		-DCMAKE_BUILD_TYPE=$(BUILD_TYPE) -DCMAKE_INSTALL_PREFIX=$(PREFIX) $(OPTIONS)
	@cmake --build $(BUILD) -j $(JOBS) --target $(TARGET)

demo: ## install what is missing, build, and show what it does
	@tools/setup
	@$(MAKE) --no-print-directory all TARGET=embedcache_cli
	@tools/demo

test: ## everything: style, tests, sanitizers; ends with "N passed, N failed"
	@tools/test

asan: ## build and test under AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/test asan

tsan: ## build and run the threaded tests under ThreadSanitizer
	@tools/test tsan

check: ## the style checks alone
	@tools/check

format: ## let clang-format lay out all C files
	@tools/check_format.sh --fix

bench-kv: ## compare put and get with LMDB and SQLite
	@tools/setup bench
	@$(MAKE) --no-print-directory all BUILD=build-bench OPTIONS="-DEDB_BENCH=ON -DEDB_TESTS=OFF"
	@if [ -x bench/run_kv ]; then bench/run_kv build-bench; else build-bench/bench_kv; fi

bench-cache: ## hit rates under a budget, and how long puts take meanwhile
	@tools/setup bench
	@$(MAKE) --no-print-directory all BUILD=build-bench OPTIONS="-DEDB_BENCH=ON -DEDB_TESTS=OFF"
	@bench/run_cache build-bench

bench-python: ## compare the Python package with what people keep embeddings in
	@tools/setup
	@test -x build-bench/python-venv/bin/python || python3 -m venv build-bench/python-venv
	@build-bench/python-venv/bin/pip install -q numpy diskcache lmdb langchain-classic .
	@build-bench/python-venv/bin/python bench/run_python

install: all ## install under PREFIX (default /usr/local), staged in DESTDIR
	@DESTDIR=$(DESTDIR) cmake --install $(BUILD)

python: ## build a Python wheel in build/wheel, and test it in an environment of its own
	@tools/setup
	@tools/python wheel

deb: ## build the Debian packages in build/deb, and check and use them
	@tools/deb

fuzz: ## let libFuzzer run for FUZZ_S (60) seconds on each target of tests/fuzz
	@tools/fuzz

proof: all deb fuzz ## what takes too long for every `make test`: packages, fuzzing, an hour of long tests
	@$(MAKE) --no-print-directory all TARGET=tests_proof
	@EDB_BUILD=$(BUILD) tools/check abi
	@tools/cross arm64
	@tools/cross s390x
	@EDB_BUILD=$(BUILD) tools/python conformance || [ $$? -eq 77 ]
	$(BUILD)/tests/flip_bits_megabyte
	$(BUILD)/tests/adversarial_keys 800000
	EDB_CASES=40000 $(BUILD)/tests/repair_damage_fuzz
	@tools/proof

clean: ## remove all build directories
	@rm -rf build build-asan build-tsan build-fuzz build-bench build-arm64 build-s390x

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s  %s\n", $$1, $$2 }' Makefile
