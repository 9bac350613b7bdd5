"""The plan is compared with two real steps; and samples are lengthened to the longest that the recipe allows."""

import json
import subprocess
import sys

import pytest

from tinyreason.config.recipe import read_recipe
from tinyreason.example import Example
from tinyreason.planning.measure import lengthened, longest_examples, longest_sample_overrides


def measured(*arguments):
    """What `plan --measure --json` says in a fresh process, whose memory is not that of other tests."""
    line = [sys.executable, "-m", "tinyreason", "plan", *arguments, "--measure", "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "row_tokens", "phase", "over"),
    [
        pytest.param(
            *(("one_shot_rlvr", "trl.gradient_checkpointing=true"), 37 + 128, "backward", 0.15),
            marks=pytest.mark.stress,
        ),
        pytest.param(
            *(("rlvr", "adapter.kind=lora_xs", "train.micro_batch_size=16"), 39 + 128, "backward", 0.15),
            marks=pytest.mark.stress,
        ),
        pytest.param(
            *(("length_grpo", "train.micro_batch_size=8"), 39 + 160, "warm-up", 0.15),
            marks=pytest.mark.stress,
        ),
        pytest.param(("one_shot_cft",), 512, "backward", 0.15, marks=pytest.mark.stress),
        pytest.param(
            *(("distill", "train.micro_batch_size=64"), 39 + 128, "backward", 0.15),
            marks=pytest.mark.stress,
        ),
    ],
)
def test_the_predicted_peak_is_near_the_measured(words, row_tokens, phase, over):
    found = measured(*words)
    assert (found["row_tokens"], found["phase"]) == (row_tokens, phase)
    assert found["measured_peak_bytes"] > 2**26
    assert -0.15 <= found["peak_error"] <= over
    assert found["measured_seconds_a_step"] > 0


def test_what_the_load_needed_for_a_moment_is_not_in_the_peak_of_the_steps():
    """512 MB held and given back before the steps, 128 MB held in them, over the baseline of before both.

    In a process of its own: in this one the memory of other tests may be given back meanwhile.
    """
    lines = (
        "import time; from tinyreason.planning.measure import Peak",
        "peak = Peak('cpu'); held = b'1' * 2**29; del held",
        "with peak.watched(): held = b'1' * 2**27; time.sleep(0.1)",
        "print(peak.highest - peak.baseline)",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert 2**26 < int(done.stdout) < 2**28


def test_rollouts_are_forced_to_the_longest():
    recipe = read_recipe("one_shot_rlvr")
    config = recipe.resolve("sandbox", longest_sample_overrides(recipe.resolve("sandbox")))
    assert config.train.max_steps == 2
    assert config.trl["generation_kwargs"] == {"min_new_tokens": 128}


@pytest.mark.parametrize("tokens", [20, 100, 400])
def test_a_completion_is_lengthened_to_as_many_tokens_as_fit(sandbox, tokens):
    _, tokenizer = sandbox
    example = Example("0", ({"role": "user", "content": "12 + 30?"},), "42", "12 + 30 = 42. The answer is 42.")
    text = lengthened(example, tokenizer, tokens)
    assert 0.8 * tokens <= len(tokenizer(text, add_special_tokens=False)["input_ids"]) <= tokens


def test_one_example_fills_two_steps_of_padded_rows(sandbox):
    _, tokenizer = sandbox
    config = read_recipe("one_shot_cft").resolve("sandbox", ("train.batch_size=4",))
    rows, _ = longest_examples(config, tokenizer, config.data.load())
    lengths = {len(tokenizer(row.completion, add_special_tokens=False)["input_ids"]) for row in rows}
    assert len(rows) == 8
    assert len(lengths) > 1 and min(lengths) > 400


def test_the_longest_prompts_are_taken(sandbox):
    _, tokenizer = sandbox
    config = read_recipe("rlvr").resolve("sandbox", ("data.size=300", "train.rollouts_per_step=16"))
    examples = config.data.load()
    chosen, tokens = longest_examples(config, tokenizer, examples)
    assert len(chosen) == 32
    assert len(chosen[0].problem) > sum(len(example.problem) for example in examples) / len(examples)
    assert 30 < tokens < 45
