# One word each; every target first sets up what it needs (a moment when nothing has changed).
# HOME and the XDG folders point into .cache/home for everything but set-up: Foundry, browsers and others write there.
# Set-up reads pip's and npm's configuration from the real HOME and writes nothing to it.

USER_HOME := $(HOME)
USER_CONFIG := $(XDG_CONFIG_HOME)
INSIDE := $(CURDIR)/.cache/home

export HOME := $(INSIDE)
export XDG_CACHE_HOME := $(INSIDE)/.cache
export XDG_CONFIG_HOME := $(INSIDE)/.config
export XDG_DATA_HOME := $(INSIDE)/.local/share
export XDG_STATE_HOME := $(INSIDE)/.local/state
export APE_DATA_FOLDER := $(CURDIR)/.ape
export SOLCX_BINARY_PATH := $(CURDIR)/.cache/solcx
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.cache/bin:$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv
export npm_config_cache := $(CURDIR)/.cache/npm

PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest
FORGE := .cache/bin/forge
PORT ?= 8545

.DEFAULT_GOAL := demo
.PHONY: halmos prove seeded screenshots mutate coverage demo test test-pure test-contracts test-quick-code test-shipped-code \
	test-chain test-deep lint gas vectors artifacts bench devnet clean setup

setup: ## Python and npm packages and the Solidity compiler, all inside this folder
	@command -v python3 >/dev/null || { echo "AME needs Python 3.11, 3.12 or 3.13: python3 was not found on the PATH." >&2; exit 1; }
	@env -u VIRTUAL_ENV $(if $(USER_CONFIG),XDG_CONFIG_HOME="$(USER_CONFIG)",-u XDG_CONFIG_HOME) HOME="$(USER_HOME)" python3 scripts/setup.py
	@mkdir -p "$(INSIDE)"

demo: setup ## the whole story on the embedded chain
	.venv/bin/ame demo $(ARGS)

# The compiler uses one core, and one worker runs each file of Python tests: two at a time, what takes longest first.
TWO := -j2 --output-sync=target --no-print-directory
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder

test: setup ## everything but the long runs; ends with pytest's own summary
	@$(MAKE) $(TWO) test-shipped-code lint test-quick-code
	@$(MAKE) --no-print-directory test-pure
	@$(MAKE) --no-print-directory test-chain

test-pure: setup ## no chain, no browser
	$(PYTEST) -p no:ape_test -m "not chain and not browser and not deep" $(WORKERS) $(ARGS)

# Behaviour is tested on the quick code generator's build; vectors and gas on the code that ships, as all is in test-deep.
SHIPPED_CODE := tests/contracts/{Vectors,Gas,GriefingGas}.t.sol
test-contracts: setup ## Solidity tests, and the gas figures against tests/gas
	@$(MAKE) $(TWO) test-shipped-code test-quick-code

test-quick-code: setup
	FOUNDRY_PROFILE=quick $(FORGE) test --no-match-path '$(SHIPPED_CODE)'

test-shipped-code: setup
	FORGE_SNAPSHOT_CHECK=true $(FORGE) test --match-path '$(SHIPPED_CODE)'

test-chain: setup ## against embedded chains, anvil and a browser
	$(PYTEST) -m "(chain or browser) and not deep" $(WORKERS) $(ARGS)

test-deep: setup halmos ## long fuzzing and simulations
	FOUNDRY_PROFILE=deep $(FORGE) test
	$(PYTHON) scripts/prove.py
	$(PYTHON) scripts/seeded_bugs.py
	$(PYTEST) -m deep $(ARGS)

lint: setup ## style, types, Solidity format, static analysis
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	$(FORGE) fmt --check
	@$(MAKE) --no-print-directory .build/slither/built
	.venv/bin/slither . --ignore-compile --foundry-out-directory .build/slither/out

# Slither reads complete build information only, which Forge gives for a build from nothing. It reads the syntax tree,
# which is the same for either code generator: the quick one.
.build/slither/built: $(shell find contracts -name '*.sol') foundry.toml
	rm -rf .build/slither
	FOUNDRY_PROFILE=quick $(FORGE) build contracts --build-info --quiet --out .build/slither/out --cache-path .build/slither/cache
	@touch $@

gas: setup ## gas of every call beside the peers' (docs/gas.md); writes tests/gas again and shows what changed
	$(FORGE) test --match-path 'tests/contracts/{Gas,GriefingGas}.t.sol'
	$(PYTHON) scripts/fraud_proof_gas.py
	$(PYTHON) scripts/gas.py
	$(PYTHON) scripts/griefing.py
	@git --no-pager diff --stat -- tests/gas docs/gas.md

halmos: setup ## Halmos in .venv-halmos, as its pins clash with those of .venv
	@env -u VIRTUAL_ENV $(if $(USER_CONFIG),XDG_CONFIG_HOME="$(USER_CONFIG)",-u XDG_CONFIG_HOME) HOME="$(USER_HOME)" \
		$(PYTHON) scripts/prove.py --set-up

prove: halmos ## proofs of the contracts by Halmos; docs/proofs.md
	$(PYTHON) scripts/prove.py $(ARGS)

seeded: halmos ## seeded bugs of the contracts: which tool sees which? docs/proofs.md; ARGS="--write"
	$(PYTHON) scripts/seeded_bugs.py $(ARGS)

mutate: setup ## changes the contracts one place at a time: who notices? docs/mutation.md; ARGS="--sample 60 --seed 1"
	$(PYTHON) scripts/mutate.py $(ARGS)

coverage: setup ## of the contracts, by the Solidity tests: at least 98 % of lines and branches
	$(PYTHON) scripts/coverage.py

screenshots: setup ## pictures of the claim page's main states: docs/screenshots
	$(PYTHON) -m tests.portal.screenshots $(ARGS)

vectors: setup ## writes the committed test vectors again
	$(PYTHON) scripts/vectors.py

artifacts: setup ## freezes ABI and bytecode of the shipped contracts for the wheel
	$(PYTHON) scripts/freeze_artifacts.py

bench: setup ## side by side with peers
	$(PYTHON) -m benchmarks $(ARGS)

devnet: setup ## anvil with its state kept in .state/anvil.json; PORT=8545
	@mkdir -p .state
	@exec .cache/bin/anvil --state .state/anvil.json --chain-id 31337 --port $(PORT) --hardfork prague $(ARGS)

clean: ## what was built; keeps the packages, the compiler and the chain's state
	rm -rf .build out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis crytic-export
