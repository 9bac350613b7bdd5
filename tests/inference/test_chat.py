"""Talking to a model: reasoning told apart from the answer, base beside adapter, lines typed or piped in."""

import io
from itertools import pairwise

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console as RichConsole
from synthetic_run import write_run

from tinyreason.cli.main import main
from tinyreason.console import Console
from tinyreason.inference.chat import Reasoning, Talker
from tinyreason.inference.model_reference import read_model_reference

PROBLEM = "Ann has 11 pens. Ann gets 2 more, then finds 27 more. How many pens does Ann have now?"


def told(pieces, starts_inside=False):
    """(reasoning, answer) of a completion that comes in these pieces."""
    parts = {True: "", False: ""}

    def tell(text, is_reasoning):
        parts[is_reasoning] += text

    reasoning = Reasoning(tell, starts_inside)
    for piece in pieces:
        reasoning.add(piece)
    reasoning.add("", is_last=True)
    return parts[True], parts[False]


def test_reasoning_is_what_stands_between_the_tags():
    assert told(["<think>\n1+1=2\n</think>\n\\boxed{2}"]) == ("<think>\n1+1=2\n</think>", "\n\\boxed{2}")
    assert told(["\\boxed{2}"]) == ("", "\\boxed{2}")
    assert told(["1+1=2</think>2"], starts_inside=True) == ("1+1=2</think>", "2")
    assert told(["a < b, <thin air"]) == ("", "a < b, <thin air")
    assert told(["<think>never closed"]) == ("<think>never closed", "")


@given(cuts=st.lists(st.integers(0, 45), max_size=12))
def test_it_does_not_matter_where_the_pieces_are_cut(cuts):
    text = "so <think>\n1 < 2 </ 3\n</think>\n\\boxed{2} <"
    ends = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
    pieces = [text[a:b] for a, b in pairwise(ends)]
    assert told(pieces) == ("<think>\n1 < 2 </ 3\n</think>", "so \n\\boxed{2} <")


def test_what_a_model_writes_cannot_steer_the_terminal():
    console = Console(RichConsole(file=io.StringIO(), force_terminal=True, width=80, color_system="standard"))
    with console.completions(("model",)) as stream:
        stream.write(0, "\x1b[2J[red]x[/red]\x07", False)
    assert console.rich.file.getvalue() == "�[2J[red]x[/red]�\n"


def test_reasoning_is_dimmed_and_the_answer_plain():
    console = Console(RichConsole(file=io.StringIO(), force_terminal=True, width=80, color_system="standard"))
    with console.completions(("model",)) as stream:
        stream.write(0, "hm ", True)
        stream.write(0, "2", False)
    assert console.rich.file.getvalue() == "\x1b[2mhm \x1b[0m2\n"


def test_two_completions_stand_side_by_side_on_a_terminal():
    console = Console(RichConsole(file=io.StringIO(), force_terminal=True, width=60))
    with console.completions(("base", "adapter")) as stream:
        stream.write(0, "left", False)
        stream.write(1, "right", False)
    last = console.rich.file.getvalue().split("base")[-1]
    assert any("left" in line and "right" in line for line in last.splitlines())


# With a model


def chat(*words, typed):
    return CliRunner().invoke(main, ["chat", *map(str, words)], input=typed)


def test_lines_that_are_piped_in_are_answered_until_exit():
    done = chat("sandbox", "--max-completion-tokens", "24", typed=f"{PROBLEM}\n\n{PROBLEM}\nexit\n{PROBLEM}\n")
    assert done.exit_code == 0, done.output
    first, second = done.stdout.splitlines()
    assert first == second  # greedy, and each question stands alone
    assert "\\boxed{" in first


def test_bytes_that_are_no_text_are_asked_as_far_as_they_can_be_read():
    done = chat("sandbox", "--max-completion-tokens", "4", typed=b"\xff 1 + 1?\n")
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 1), done.output


@pytest.fixture(scope="module")
def adapted(tmp_path_factory, load):
    """A run folder whose adapter answers otherwise than its base."""
    import torch

    from tinyreason.config.recipe import read_recipe

    folder = tmp_path_factory.mktemp("runs") / "run"
    config = read_recipe("one_shot_rlvr").resolve("sandbox")
    model, _ = load()
    model = config.adapter.attach(model, seed=0)
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    write_run(folder, steps=1)
    (folder / "config.yaml").write_text(config.model_dump_json())
    config.adapter.save(model, folder / "adapter")
    return folder


def test_base_and_adapter_answer_the_same_question_apart(adapted):
    alone = chat("sandbox", "--max-completion-tokens", "24", typed=PROBLEM).stdout.strip()
    sizes = ("--temperature", "0", "--max-completion-tokens", "24")
    both = chat(adapted, "--compare", *sizes, typed=PROBLEM).stdout
    title, base, other, *adapter = both.splitlines()
    assert (title, other) == ("base:", "adapter:")
    assert base == alone
    assert "\n".join(adapter).strip() != alone
    assert chat(adapted / "adapter", *sizes, typed=PROBLEM).stdout.strip() == "\n".join(adapter).strip()


def test_a_run_is_asked_as_its_evaluation_asked(adapted):
    reference = read_model_reference(str(adapted), trust_remote_code=False, is_finished=False)
    assert (reference.model.name, reference.adapter) == ("sandbox", adapted / "adapter")
    talker = Talker.load(reference, temperature=None, max_completion_tokens=None)
    assert (talker.prompt, talker.temperature, talker.max_completion_tokens) == ("plain", 1.0, 128)


def test_code_that_comes_with_a_model_needs_the_persons_word_even_if_the_run_had_it(adapted, tmp_path):
    text = (adapted / "config.yaml").read_text().replace('"trust_remote_code":false', '"trust_remote_code":true')
    assert '"trust_remote_code":true' in text
    (tmp_path / "config.yaml").write_text(text)
    (tmp_path / "adapter").symlink_to(adapted / "adapter")
    for trusts in (False, True):
        reference = read_model_reference(str(tmp_path), trusts, is_finished=False)
        assert reference.model.trust_remote_code is trusts


def test_a_mistake_is_one_sentence(tmp_path):
    run = write_run(tmp_path / "run")
    for words, answer in (
        (["sandbox", "--compare"], "sandbox has no adapter to compare"),
        ([run], "has no adapter yet"),
        (["no_such_run"], "there is no folder no_such_run"),
        ([tmp_path], "has no config.json"),
    ):
        done = chat(*words, typed="")
        assert done.exit_code == 2, done.output
        (line,) = done.stderr.splitlines()
        assert answer in line
    (run / "adapter").mkdir()
    (run / "adapter" / "adapter_config.json").write_text("{}")
    assert "is not one that a run writes" in chat(run, typed="").stderr
