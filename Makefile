# Everything a newcomer needs: `make demo` and `make test`. Both set up their own environment in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help setup demo dist docs test test-all test-matrix lint format bench-architecture bench-evolve bench-memory bench-mutation-testing bench-neurons bench-noise bench-overhead bench-parents bench-population bench-speed check-gpu clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

$(VENV)/.demo: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v >= (3, 11) else f"genewright needs Python 3.11 or later; {sys.executable} is {v[0]}.{v[1]}. Try: make PYTHON=python3.11")'
	@echo "Setting up .venv (torch is a large download the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install -c constraints.txt -e '.[demo]'
	@$(BIN)/python -m genewright.noise.compiled
	@$(BIN)/python -m genewright.reductions
	@touch $@

$(VENV)/.test: $(VENV)/.demo
	@$(PIP) install -c constraints.txt --group test --group lint --group keras --group models --group docs --group build
	@$(PIP) install -c constraints.txt --no-deps torchvision timm || \
		echo "torchvision and timm cannot be had here: the tests on their models will be left out"
	@$(PIP) install -c constraints.txt --only-binary=:all: --group games || \
		echo "Box2D cannot be had here: LunarLander will be left out"
	@touch $@

setup: $(VENV)/.test  ## make .venv with everything that the tests need

demo: $(VENV)/.demo  ## train, mutate, check, save, replay and undo a real network
	$(BIN)/genewright demo

test: $(VENV)/.test lint  ## what CI runs: lint, types and the tests (without the slow sweeps)
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

test-all: $(VENV)/.test lint  ## the tests, slow sweeps included
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m '' --hypothesis-profile=full

test-matrix: $(VENV)/.test  ## the built wheel on other Pythons, on oldest releases, with one framework each (LEGS="3.13 oldest")
	$(BIN)/python -m tests.packaging.matrix $(LEGS)

bench-architecture: $(VENV)/.test  ## widen, deepen and lengthen models of others and count what is kept (hours; RESUME=1 goes on)
	$(if $(RESUME),,rm -f benchmarks/architecture/results/*.jsonl)
	$(BIN)/python benchmarks/architecture/width.py torchvision timm transformers --fast
	$(BIN)/python benchmarks/architecture/depth.py torchvision timm transformers
	$(BIN)/python benchmarks/architecture/ends.py torchvision transformers timm
	KERAS_BACKEND=tensorflow $(BIN)/python benchmarks/architecture/ends_keras.py
	$(BIN)/python benchmarks/architecture/positions.py torchvision transformers timm
	$(BIN)/python benchmarks/architecture/table.py

bench-speed: $(VENV)/.test  ## time the widening of ResNets and of GPT-2's shape, and where the time goes
	$(BIN)/python benchmarks/architecture/speed.py

docs: $(VENV)/.test  ## the documentation site, into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

dist: $(VENV)/.test  ## the sdist and the wheel, into dist/; the wheel is tried in a fresh environment
	$(BIN)/python -m tests.packaging.environments dist
	$(BIN)/python -m tests.packaging.matrix without

lint: $(VENV)/.test  ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(VENV)/.test  ## rewrite the files as ruff wants them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-memory: $(VENV)/.demo  ## peak memory of mutating a 400 MB model, each way
	$(BIN)/python benchmarks/memory.py

bench-mutation-testing: $(VENV)/.test  ## mutants a second of a campaign beside loops by hand, and its memory (about 4 minutes)
	$(BIN)/python benchmarks/mutation_testing/speed.py --write docs/benchmarks/mutation_testing.md

bench-noise: $(VENV)/.demo  ## time the noise against torch's in-place add and against the usual recipe (about 2 minutes)
	$(BIN)/python benchmarks/noise/run.py

bench-neurons: $(VENV)/.test  ## what measuring neurons costs beside a plain forward pass, hooks by hand and captum
	$(BIN)/python benchmarks/neurons.py --write docs/benchmarks/neurons.md

bench-parents: $(VENV)/.test  ## accuracy of children of two parents, plain and aligned, and of mutants by noise that spares
	$(BIN)/python benchmarks/parents.py --write docs/benchmarks/neurons.md

bench-evolve: $(VENV)/.test  ## the solved tasks of docs/benchmarks/evolution.md, whole, and CartPole by others (more than half an hour)
	$(BIN)/python benchmarks/evolution/peers.py --environments .venv-peers
	for name in lunar_lander digits_front corrupted_digits digits_archive transformer_head; do \
		echo "== $$name"; $(BIN)/python examples/$$name.py || exit 1; done

bench-overhead: $(VENV)/.test  ## what a mutation costs beyond its noise: small networks, long histories, wide layers (BEFORE=other/src)
	$(BIN)/python benchmarks/overhead.py $(if $(BEFORE),--before $(BEFORE))

bench-population: $(VENV)/.test  ## populations beside plain inference, torch.func by hand and other libraries (about 6 minutes)
	$(BIN)/python benchmarks/population.py
	$(BIN)/python benchmarks/populations/peers.py --environments .venv-peers

check-gpu: $(VENV)/.demo  ## the noise's bits on a GPU against the CPU's, and what mutations and populations cost there
	$(BIN)/python benchmarks/gpu.py

clean:  ## remove what make made
	rm -rf $(VENV) .venv-matrix .venv-peers genewright-demo build dist
