"""What the command line says of a base that it cannot take: one sentence, and no circle of them."""

import pytest
from click.testing import CliRunner

from tinyreason.cli.main import main
from tinyreason.models import hardware

HUB = "someone/some-model"


@pytest.mark.parametrize("tier", [(), ("--on", "t4"), ("--on", "sandbox")])
@pytest.mark.parametrize("command", [("recipe", "rlvr"), ("sweep", "rlvr", "--vary", "adapter.rank=4,8")])
def test_a_hub_id_without_a_gpu_is_one_sentence_that_ends_the_search(command, tier, monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "visible_cards", list)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, [*command, *tier, f"model.name={HUB}"])
    assert (done.exit_code, done.output.count("\n")) == (2, 1), done.output
    assert f"hf download {HUB} --local-dir FOLDER" in done.output
    assert "--on sandbox model.name=FOLDER" in done.output
    assert "choose another tier" not in done.output


def test_a_card_that_is_too_small_for_a_hub_id_is_one_sentence_that_ends_the_search(monkeypatch):
    monkeypatch.setattr(hardware, "visible_cards", lambda: [hardware.Card("GTX 1650", 4.0, (7, 5), "GPU-0")])
    for tier in ((), ("--on", "t4")):
        done = CliRunner().invoke(
            main, ["recipe", "rlvr", f"model.name={HUB}", *tier], env={"CUDA_VISIBLE_DEVICES": ""}
        )
        assert (done.exit_code, done.output.count("\n")) == (2, 1), done.output
        assert f"hf download {HUB} --local-dir FOLDER" in done.output


def test_a_card_that_is_asked_for_and_not_there_is_answered_with_the_sandbox_where_the_base_is_the_recipes(monkeypatch):
    monkeypatch.setattr(hardware, "visible_cards", list)
    done = CliRunner().invoke(main, ["recipe", "rlvr", "--on", "t4"])
    assert done.exit_code == 2 and "type --on sandbox to run without one" in done.output
