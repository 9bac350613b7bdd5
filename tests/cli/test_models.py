"""What the command line says of a base that it cannot take: one sentence, and no circle of them."""

import pytest
from click.testing import CliRunner

from tinyreason.cli.main import main
from tinyreason.models import hardware

HUB = "someone/some-model"
GTX = hardware.Card("GTX 1650", 4.0, (7, 5), "GPU-0")
COMMANDS = [("recipe", "rlvr"), ("sweep", "rlvr", "--vary", "adapter.rank=4,8")]


@pytest.mark.parametrize("tier", ["t4", "sandbox"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_hub_id_on_a_tier_that_cannot_take_it_is_one_sentence_that_names_the_cpu_tier(command, tier, monkeypatch):
    monkeypatch.setattr(hardware, "visible_cards", list)
    done = CliRunner().invoke(main, [*command, "--on", tier, f"model.name={HUB}"])
    assert (done.exit_code, done.output.count("\n")) == (2, 1), done.output
    assert "type --on cpu" in done.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_hub_id_without_a_gpu_is_looked_for_on_the_hub(command, monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "visible_cards", list)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, [*command, f"model.name={HUB}"])
    assert (done.exit_code, done.output.count("\n")) == (2, 1), done.output
    assert f"cannot load model.name={HUB}" in done.output and "hub reachable" in done.output


def test_a_card_that_is_too_small_for_a_tier_is_answered_with_the_cpus(monkeypatch):
    monkeypatch.setattr(hardware, "visible_cards", lambda: [GTX])
    words = ["recipe", "rlvr", f"model.name={HUB}", "--on", "t4"]
    done = CliRunner().invoke(main, words, env={"CUDA_VISIBLE_DEVICES": ""})
    assert (done.exit_code, done.output.count("\n")) == (2, 1), done.output
    assert "cpu for the CPU" in done.output
