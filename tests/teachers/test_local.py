"""The sandbox's base as a teacher and as one who makes attempts."""

import json

import pytest

from tinyreason.data.problems import Problems
from tinyreason.errors import ModelError
from tinyreason.inference.local_sampling import base_of, load_base_or_adapter


@pytest.fixture
def build(tmp_path):
    from tinyreason.config.build_config import CritiqueBuildConfig
    from tinyreason.console import Console
    from tinyreason.synthesis.build import build_critiques

    def build(name="set.jsonl", **order):
        data = Problems(kind="problems", name="sandbox", size=2)
        summary = build_critiques(CritiqueBuildConfig(data=data, **order), tmp_path / name, Console(stderr=True))
        return summary, [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]

    return build


def test_several_models_share_the_attempts_and_a_rerun_samples_none_of_them_again(build, tmp_path):
    order = {"attempts_by": ("sandbox", "oracle"), "attempts": 16, "teacher": {"kind": "oracle"}}
    _, rows = build(**order)
    assert {row["provenance"]["attempt_by"] for row in rows} == {"sandbox", "oracle"}
    assert len({row["attempt"] for row in rows if row["provenance"]["attempt_by"] == "sandbox"}) > 4
    cache = (tmp_path / "set.jsonl.answers.jsonl").read_bytes()
    assert build(**order)[1] == rows
    assert (tmp_path / "set.jsonl.answers.jsonl").read_bytes() == cache


def test_the_sandbox_base_criticises(build):
    summary, rows = build(attempts=16, teacher={"kind": "local", "model": "sandbox"})
    assert summary.tokens_out > 0 and rows
    assert {row["provenance"]["model"] for row in rows} == {"sandbox"}


def test_the_folder_of_an_adapter_or_of_its_run_is_the_adapted_model(sandbox, tmp_path):
    import torch

    from tinyreason.adapters.lora import Lora

    base, _ = sandbox
    ids = torch.arange(20)[None]
    before = base(ids).logits
    adapter = Lora(kind="lora", rank=2)
    adapted = adapter.attach(base, seed=0)
    with torch.no_grad():
        for name, tensor in adapted.named_parameters():
            if "lora_B" in name:
                tensor.add_(0.1)
    adapter.save(adapted, tmp_path / "adapter")
    after = adapted.eval()(ids).logits
    assert not torch.allclose(before, after)
    for folder in (tmp_path, tmp_path / "adapter"):
        model, _ = load_base_or_adapter(str(folder))
        assert torch.allclose(model(ids).logits, after, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "base"),
    [
        ('{"base_model_name_or_path": "Qwen/Qwen3-0.6B"}', "Qwen/Qwen3-0.6B"),
        ('{"base_model_name_or_path": "/elsewhere/tinyreason/sandbox/base"}', "sandbox"),
    ],
)
def test_an_adapter_names_its_base(tmp_path, config, base):
    (tmp_path / "adapter_config.json").write_text(config)
    assert base_of(tmp_path).name == base


@pytest.mark.parametrize("config", ["", "[]", "{}", '{"base_model_name_or_path": null}'])
def test_an_adapter_that_does_not_is_refused(tmp_path, config):
    (tmp_path / "adapter_config.json").write_text(config)
    with pytest.raises(ModelError, match="does not name the base model"):
        base_of(tmp_path)
