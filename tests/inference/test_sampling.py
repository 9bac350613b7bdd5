"""Completions sampled from a model: the same in any batch, as likely as the model says, as long as the limit."""

from dataclasses import replace

from tinyreason.example import Example
from tinyreason.inference import engines
from tinyreason.inference.sampling import (
    BatchRoom,
    Sampling,
    batches,
    prompt_texts,
    sample_batches,
    sample_completions,
)


def example(number: int, problem: str = "1+1?", answer: str = "2") -> Example:
    return Example(str(number), ({"role": "user", "content": problem},), answer)


SAMPLING = Sampling(samples=3, temperature=1.0, max_completion_tokens=20, batch_size=4, prompt="plain", seed=0)


def test_completions_are_the_same_for_the_same_seed_and_leave_the_random_state_alone(sandbox):
    import torch

    model, tokenizer = sandbox
    examples = [example(n, "Ann has 5 pens. How many pens does Ann have now?") for n in range(3)]
    state = torch.get_rng_state()
    first = sample_completions(model, tokenizer, examples, SAMPLING, lambda _: None)
    assert torch.equal(torch.get_rng_state(), state)
    assert first == sample_completions(model, tokenizer, examples, SAMPLING, lambda _: None)
    texts, tokens, truncated = first
    assert len(texts) == len(tokens) == len(truncated) == 9
    assert len(set(texts)) > 1


def test_a_completion_that_the_limit_ends_is_truncated_and_as_long_as_the_limit(sandbox):
    model, tokenizer = sandbox
    short = replace(SAMPLING, max_completion_tokens=2)
    _, tokens, truncated = sample_completions(model, tokenizer, [example(0)], short, lambda _: None)
    assert tokens == [2, 2, 2]
    assert truncated == [True, True, True]


def test_the_padding_of_a_batch_changes_no_greedy_completion(sandbox):
    model, tokenizer = sandbox
    examples = [example(0, "Ann has 5 pens."), example(1, "Ann has 5 pens. Ann buys 2 more, then loses 3. " * 3)]
    greedy = replace(SAMPLING, samples=1, temperature=0.0)
    together = sample_completions(model, tokenizer, examples, greedy, lambda _: None)[0]
    alone = [sample_completions(model, tokenizer, [one], greedy, lambda _: None)[0][0] for one in examples]
    assert together == alone


def test_long_prompts_are_answered_fewer_at_a_time_and_every_one_once():
    sampling = replace(SAMPLING, batch_size=8, max_completion_tokens=128)
    sizes = [40] * 20 + [3000] * 3 + [600] * 4
    found = list(batches(sizes, sampling, BatchRoom()))
    assert sorted(row for rows in found for row in rows) == list(range(27))
    assert [[sizes[row] for row in rows] for rows in found[:4]] == [[3000], [3000], [3000], [600] * 4]
    assert all(len(rows) <= 8 for rows in found)


def test_a_completion_is_the_same_in_any_batch_and_any_order(sandbox):
    model, tokenizer = sandbox
    texts = ("Ann has 5 pens. How many pens does Ann have now?", "Ann has 5 pens. Ann buys 2 more. How many pens now?")
    asks = [(example(n, texts[n % 2]), sample) for n in range(4) for sample in range(3)]

    def draw(asks, size):
        batch_of = sample_batches(model, tokenizer, asks, replace(SAMPLING, batch_size=size))
        return {(asks[d.row][0].id, asks[d.row][1]): d.text for batch in batch_of for d in batch}

    assert draw(asks, 12) == draw(asks[::-1], 5) | draw(asks[:1], 1)


def test_another_seed_or_another_problem_gives_other_completions(sandbox):
    model, tokenizer = sandbox
    same = [example(n, "Ann has 5 pens. Ann buys 20 more. How many pens does Ann have now?") for n in range(4)]
    first, other = (
        sample_completions(model, tokenizer, same, replace(SAMPLING, seed=s), lambda _: None)[0] for s in (0, 1)
    )
    assert first != other
    assert len(set(first)) > 3


def test_top_p_leaves_only_the_likeliest_tokens(sandbox):
    model, tokenizer = sandbox
    asks = [example(n, "Ann has 5 pens. Ann buys 20 more. How many pens does Ann have now?") for n in range(3)]
    greedy = sample_completions(model, tokenizer, asks, replace(SAMPLING, temperature=0.0), lambda _: None)
    assert sample_completions(model, tokenizer, asks, replace(SAMPLING, top_p=1e-6), lambda _: None) == greedy


def test_what_the_models_own_generation_config_says_changes_nothing(sandbox):
    model, tokenizer = sandbox
    before = sample_completions(model, tokenizer, [example(0)], SAMPLING, lambda _: None)
    model.generation_config.update(repetition_penalty=3.0, top_k=1, top_p=0.1, temperature=9.0, no_repeat_ngram_size=1)
    assert sample_completions(model, tokenizer, [example(0)], SAMPLING, lambda _: None) == before


def test_without_the_template_the_model_reads_the_problem_alone(sandbox):
    _, tokenizer = sandbox
    assert prompt_texts(tokenizer, [example(0)], replace(SAMPLING, template="none")) == ["1+1?"]
    assert prompt_texts(tokenizer, [example(0)], SAMPLING) == ["<|user|>1+1?<|end|><|assistant|>"]


def test_a_batch_that_overflows_the_card_is_answered_in_parts_and_no_completion_changes(sandbox, hold_rows):
    from tinyreason.data.problems import Problems

    model, tokenizer = sandbox
    questions = Problems(name="sandbox").held_out(4, "test", without=set())
    sampling = Sampling(2, 1.0, 8, 8, "plain", 0)
    whole = sample_completions(model, tokenizer, questions, sampling, lambda _: None)
    asked = hold_rows(engines, 2)
    assert sample_completions(model, tokenizer, questions, sampling, lambda _: None) == whole
    assert asked[:3] == [8, 4, 2]


def test_what_fitted_after_an_overflow_holds_for_the_batches_that_follow_and_for_shorter_prompts_more_rows():
    room = BatchRoom()
    sampling = replace(SAMPLING, batch_size=8, max_completion_tokens=100)
    found = batches([100] * 16 + [20] * 20, sampling, room)
    assert len(next(found)) == 8
    room.tokens = 2 * (100 + 100)
    assert [len(rows) for rows in found] == [2, 2, 2, 2, *[3] * 6, 2]
