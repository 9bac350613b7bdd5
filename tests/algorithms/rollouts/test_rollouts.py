"""Plans of rollouts, against groups and weights worked by hand."""

from dataclasses import replace

import pytest
import torch
from fake_policy import PROBLEMS, FakePolicy, as_text, rollouts_of, told
from sampled import batch_of

from tinyreason.algorithms.advantages import ADVANTAGES
from tinyreason.algorithms.rollouts import ROLLOUTS, Rollout
from tinyreason.algorithms.rollouts.seele import curve, fit, solve
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError
from tinyreason.store import Store

SMALLEST = {"relift": {"size": 2}, "adaptthink": {"references": 4}, "budget_forcing": {"budget": 8}}


def rolled(kind, answers, *numbers, policy=None, **options):
    """(rollouts of these problems, the policy) after a step of the plan."""
    policy = policy or FakePolicy(answers)
    rollouts = rollouts_of(policy, *numbers)
    ROLLOUTS[kind](**options).roll(rollouts, policy)
    return rollouts, policy


def scored(sources, correct, logp, group_size=2, **fields):
    """A scored batch with these sources, and log-probabilities of its tokens."""
    batch = batch_of([0] * (len(correct) // group_size), correct, group_size=group_size)
    batch.sources, batch.logp = sources, torch.tensor(logp)
    for name, value in fields.items():
        setattr(batch, name, value)
    return batch


@pytest.mark.parametrize("kind", ROLLOUTS)
def test_every_token_is_the_policys_or_named_and_none_is_left_empty(kind):
    policy = FakePolicy(["no."] * 40, group_size=4)
    rollouts, _ = rolled(kind, (), 0, 1, policy=policy, **SMALLEST.get(kind, {}))
    assert len(rollouts) == 8
    for rollout in rollouts:
        assert 0 < len(rollout.tokens) <= policy.limit and len(rollout.trained) == len(rollout.tokens)
        assert any(rollout.trained) and rollout.source
    assert [rollout.example.id for rollout in rollouts] == ["p0"] * 4 + ["p1"] * 4


@pytest.mark.parametrize("kind", ROLLOUTS)
def test_a_solved_group_of_the_policys_own_keeps_its_advantages(kind):
    batch = scored(["policy"] * 4, [1, 0, 1, 1], [[-1.0] * 3] * 4, group_size=4)
    batch.sampled_logp, batch.facts = torch.full((4, 3), torch.nan), [{} for _ in range(4)]
    plain = ADVANTAGES["dr_grpo"]()(batch, torch.zeros(4), Store())
    weighed = ROLLOUTS[kind](**SMALLEST.get(kind, {})).weigh(batch, plain)
    assert torch.equal(weighed if weighed.dim() == 1 else weighed[:, 0], plain)


def test_luffy_has_one_solution_in_a_group_and_samples_the_others():
    rollouts, policy = rolled("luffy", ["0+1 is 1.", "no idea."], 0, 1)
    assert told(rollouts) == [
        ("0+1 is 1.", "policy"),
        ("0 and 1 is 1.", "solution"),
        ("no idea.", "policy"),
        ("1 and 1 is 2.", "solution"),
    ]
    assert policy.read == ["0+1?|", "1+1?|"]


def test_each_group_of_a_problem_that_is_asked_twice_has_its_solution():
    rollouts, _ = rolled("luffy", ["no.", "none."], 0, 0)
    assert [source for _, source in told(rollouts)] == ["policy", "solution"] * 2


def test_a_problem_whose_gold_answer_cannot_be_read_is_not_gathered():
    policy = FakePolicy(["no."] * 2)
    policy.grade = lambda rollouts: [None] * len(rollouts)
    rolled("relift", (), 0, policy=policy, size=2)
    assert policy.store.get("relift", "waiting") == []


def test_luffy_truncates_a_solution_at_the_limit():
    rollouts, _ = rolled("luffy", ["no."], 0, policy=FakePolicy(["no."], limit=5))
    assert told(rollouts)[1] == ("0 and", "solution")


def test_luffy_weighs_as_worked_by_hand():
    logp = torch.log(torch.tensor([[0.1, 0.9, 1.0]])).tolist()
    batch = scored(["policy"] * 6 + ["solution", "policy"], [0] * 6 + [1, 1], logp * 8, group_size=8)
    advantages = ADVANTAGES["dr_grpo"]()(batch, torch.zeros(8), Store())
    assert advantages.tolist() == pytest.approx([-0.25] * 6 + [0.75] * 2)
    weighed = ROLLOUTS["luffy"]().weigh(batch, advantages)
    assert weighed[6].tolist() == pytest.approx([0.1875, 0.0675, 0.75 * 0.1 / 1.21])
    assert weighed[7].tolist() == pytest.approx([0.75] * 3) and weighed[0].tolist() == pytest.approx([-0.25] * 3)


def test_rl_plus_weighs_as_worked_by_hand():
    batch = scored(["policy", "solution"], [0, 1], torch.log(torch.tensor([[0.2] * 3] * 2)).tolist())
    weighed = ROLLOUTS["rl_plus"]().weigh(batch, torch.tensor([-1.0, 1.0]))
    assert weighed[1].tolist() == pytest.approx([0.4472] * 3, abs=1e-4) and weighed[0].tolist() == [-1.0] * 3


@pytest.mark.parametrize("kind", ["critique_grpo", "luffy", "rl_plus"])
def test_the_weights_are_the_gradient_of_the_published_loss(kind):
    """The loss written out, in double precision, against A_t times the gradient of the log-probability."""
    logits = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    tokens, advantage = torch.tensor([1, 3, 0, 6, 2]), 0.75
    logp = logits.log_softmax(-1).gather(1, tokens[:, None])[:, 0]
    pi = logp.exp()
    focus = (1 - pi.detach()).sqrt()
    shaped = pi / (pi + 0.1)
    published = {"rl_plus": focus * (2 * pi / (1.5 * pi.detach() + 0.5))}.get(kind, shaped)
    (wanted,) = torch.autograd.grad(-(advantage * published).sum(), logits, retain_graph=True)
    source = "refinement" if kind == "critique_grpo" else "solution"
    batch = scored(["policy", source], [0, 1], [[0.0] * 5] * 2, mask=torch.ones(2, 5, dtype=torch.bool))
    batch.logp = torch.stack([logp.detach()] * 2)
    weights = ROLLOUTS[kind]().weigh(batch, torch.full((2,), advantage, dtype=torch.float64))[1]
    (ours,) = torch.autograd.grad(-(weights * logp).sum(), logits)
    assert torch.allclose(ours, wanted, rtol=1e-12, atol=0)


def test_relift_gathers_what_nobody_solves_and_then_shows_its_solutions():
    policy = FakePolicy(["no.", "no.", "is 2.", "no.", "no.", "no.", "no.", "no."])
    first, _ = rolled("relift", (), 0, 1, policy=policy, size=2)
    assert {source for _, source in told(first)} == {"policy"}
    assert policy.store.get("relift", "waiting") == ["p0"]
    rolled("relift", (), 0, 2, policy=policy, size=2)
    assert policy.store.get("relift", "waiting") == ["p0", "p2"]  # p0 goes in once
    shown, _ = rolled("relift", (), 1, 3, policy=policy, size=2)
    assert told(shown) == [("0 and 1 is 1.", "solution")] * 2 + [("2 and 1 is 3.", "solution")] * 2
    assert [rollout.is_compared for rollout in shown] == [False] * 4 and policy.store.get("relift", "waiting") == []
    batch = scored(["solution"] * 2, [0, 0], [[-1.0] * 3] * 2)
    assert ROLLOUTS["relift"](size=2, weight=0.5).weigh(batch, torch.zeros(2)).tolist() == [0.5, 0.5]


def test_expo_explains_only_what_nobody_solves_and_keeps_what_is_correct():
    answers = ["is 1.", "no.", "no.", "no.", "no.", "no.", "1 more than 1 is 2.", "cannot."]
    rollouts, policy = rolled("expo", answers, 0, 1, 2)
    assert told(rollouts)[3] == ("1 more than 1 is 2.", "explanation") and not rollouts[3].is_compared
    assert [source for _, source in told(rollouts)] == ["policy"] * 3 + ["explanation"] + ["policy"] * 2
    assert len(policy.read) == 8 and "The correct answer is 2" in policy.read[6] and "is 3" in policy.read[7]
    assert rollouts[3].prompt == policy.prompt(PROBLEMS[1])
    batch = scored(["policy", "explanation"], [0, 0], [[-1.0] * 3] * 2)
    assert ROLLOUTS["expo"]().weigh(batch, torch.tensor([0.0, 0.0])).tolist() == pytest.approx([0.0, 0.04])


def test_guide_samples_an_unsolved_group_again_with_a_hint_and_weighs_it_without():
    rollouts, policy = rolled("guide", ["is 1.", "no.", "no.", "no.", "is 2.", "no."], 0, 1)
    assert told(rollouts)[2:] == [("is 2.", "hint"), ("no.", "hint")]
    assert "## Hint.\n1 and |" in policy.read[4] and rollouts[2].prompt == policy.prompt(PROBLEMS[1])
    assert rollouts[2].sampled_logp == [-1.0] * 5 and rollouts[0].sampled_logp is None
    batch = scored(["hint", "policy"], [1, 0], [[-3.0, -0.5, -1.1]] * 2)
    batch.sampled_logp = torch.tensor([[-1.0] * 3, [torch.nan] * 3])
    weighed = ROLLOUTS["guide"]().weigh(batch, torch.tensor([1.0, -1.0]))
    assert weighed[0].tolist() == pytest.approx([0.1353, 0.0, 0.9048], abs=1e-4)  # the second: the clip binds
    assert weighed[1].tolist() == [-1.0] * 3
    assert ROLLOUTS["guide"]().weigh(batch, torch.tensor([-1.0, 1.0]))[0].tolist()[:2] == pytest.approx(
        [0, -1.6487], abs=1e-4
    )


def resolved(*overrides):
    return read_recipe("rlvr").resolve("sandbox", overrides)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["rollouts.kind=luffy", "trl.num_iterations=2"], "holds only for rollouts that are trained on once"),
        (["rollouts={kind: luffy, solutions: 16}"], "leaves none of train.group_size to the policy"),
        (["rollouts.kind=luffy", "samplers=[{kind: mopps}]"], "mopps would take that for the policy's own record"),
        (["rollouts={kind: relift, size: 2}"], "is fewer than the 4 problems of a step"),
        (["rollouts={kind: seele, rounds: 3}"], "train.group_size=16 cannot be; give a multiple of 3"),
        (["rollouts={kind: cure, branches: 4}"], "needs train.group_size to be a multiple of 5"),
        (["rollouts.kind=luffi"], "luffy"),
        (["rewards=[{kind: ufo_retry}]"], "reads what rollouts multi_attempt writes down"),
        (["advantage={kind: adaptthink}"], "reads what rollouts adaptthink writes down"),
        (["rollouts.kind=adaptthink"], "type advantage.kind=adaptthink, not dr_grpo"),
        (
            ["rollouts.kind=adaptthink", "advantage={kind: adaptthink}", "trl.num_iterations=2"],
            "advantage adaptthink holds only for rollouts that are trained on once",
        ),
        (["rollouts={kind: multi_attempt, least: 6}"], "least=6 is above most=5"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(overrides, said):
    with pytest.raises(ConfigError) as error:
        resolved(*overrides)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_data_without_solutions_are_refused():
    for kind in ("luffy", "relift", "guide"):
        with pytest.raises(ValueError, match="worked solution"):
            ROLLOUTS[kind]().check_examples([PROBLEMS[0], batch_of([0], [1] * 4).examples[0]], "rollouts")


def test_relift_that_waits_for_more_problems_than_there_are_is_refused():
    solved = [replace(PROBLEMS[0], completion="2 + 2 = 4.")] * 3
    ROLLOUTS["relift"](size=3).check_examples(solved, "rollouts")
    with pytest.raises(ValueError, match=r"rollouts\.size=4 unsolved problems never come together, as the data have 3"):
        ROLLOUTS["relift"](size=4).check_examples(solved, "rollouts")


def test_multi_attempt_lets_an_incorrect_answer_be_followed_by_another():
    policy = FakePolicy(["is 1.", "no.", "hm.", "is 1."], limit=60)
    rollouts, _ = rolled("multi_attempt", (), 0, policy=policy, least=3, most=3)
    assert told(rollouts) == [
        ("is 1.", "policy"),
        ("no.|Incorrect. Try again.|hm.|Incorrect. Try again.|is 1.", "retry"),
    ]
    first, later = rollouts
    assert later.trained == [True] * 3 + [False] * 23 + [True] * 3 + [False] * 23 + [True] * 5
    assert policy.text(later) == "is 1." and later.facts == {"answers": ["no", "hm", "is 1"]}
    assert first.facts == {"answers": ["is 1"]} and policy.read[2] == "0+1?|no.|Incorrect. Try again.|"


@pytest.mark.parametrize(
    ("options", "limit", "answers"),
    [({"most": 1}, 60, 1), ({"least": 2, "most": 2}, 60, 2), ({"least": 5}, 27, 2), ({"least": 5}, 26, 1)],
)
def test_multi_attempt_ends_with_its_attempts_or_where_no_room_is_left(options, limit, answers):
    rollouts, policy = rolled("multi_attempt", (), 0, policy=FakePolicy(["no."] * 10, limit=limit), **options)
    assert [len(rollout.facts["answers"]) for rollout in rollouts] == [answers] * 2
    assert all(len(rollout.tokens) <= policy.limit for rollout in rollouts)


def test_multi_attempt_gives_a_group_one_number_of_attempts():
    rollouts, _ = rolled("multi_attempt", (), 0, 1, 2, 3, policy=FakePolicy(["no."] * 40, limit=200))
    made = [len(rollout.facts["answers"]) for rollout in rollouts]
    assert made[::2] == made[1::2] and len(set(made)) > 1


def test_adaptthink_begins_half_a_group_with_a_closed_thought_and_asks_the_base_once():
    answers = ["is 1.", "no.", "1.", "1.", "2 is 1.", "1."]
    policy = FakePolicy(answers, group_size=4)
    rollouts, _ = rolled("adaptthink", (), 0, policy=policy, starts=["", "so "], references=2)
    assert told(rollouts) == [("1.", "at_once"), ("1.", "at_once"), ("so 2 is 1.", "thinking"), ("so 1.", "thinking")]
    assert all(all(rollout.trained) for rollout in rollouts) and policy.by_base == 2
    assert policy.store.get("adaptthink", "references") == {"p0": 0.5}
    assert rollouts[3].facts == {"forced": 3, "thinks": True, "closings": 1, "reference": 0.5}
    policy.answers = iter(["no."] * 4)
    rolled("adaptthink", (), 0, policy=policy, starts=["", "so "], references=2)
    assert policy.by_base == 2  # it is known from the first time


@pytest.mark.parametrize(
    ("is_open", "starts"), [(True, ["</think>", "Alright"]), (False, ["<think></think>", "<think>A"])]
)
def test_adaptthink_begins_as_the_prompt_asks(is_open, starts):
    policy = FakePolicy(["."] * 2)
    policy.opens_thought = is_open
    rollouts, _ = rolled("adaptthink", (), 0, policy=policy, references=0)
    assert all(text.startswith(start) for (text, _), start in zip(told(rollouts), starts, strict=True))
    assert rollouts[0].facts["reference"] is None


def test_critique_grpo_has_the_best_refinement_for_its_last_answer():
    first, refined = ["no.", "is 1.", "hm."], ["still", "so 1.", "and 1."]
    rollouts, policy = rolled("critique_grpo", (), 0, policy=FakePolicy([*first, *refined], group_size=4))
    assert told(rollouts) == [*((text, "policy") for text in first), ("so 1.", "refinement")]
    assert policy.read[3].startswith("0+1?|no.|That is incorrect. The correct answer is 1.")
    assert policy.read[4].startswith("0+1?|is 1.|That is correct. The correct answer is 1.")
    assert rollouts[3].prompt == policy.prompt(PROBLEMS[0]) and rollouts[3].is_compared


@pytest.mark.parametrize(("refined", "best"), [(["never", "no.", "hm."], "no."), (["never", "ever", "e"], "never")])
def test_critique_grpo_takes_an_incorrect_refinement_where_none_is_correct(refined, best):
    rollouts, _ = rolled("critique_grpo", (), 0, policy=FakePolicy(["no."] * 3 + refined, group_size=4))
    assert told(rollouts)[3] == (best, "refinement")


def test_critique_grpo_weighs_a_refinement_as_luffy_a_solution():
    logp = torch.log(torch.tensor([[0.1, 0.9, 1.0]])).tolist()
    weighed = ROLLOUTS["critique_grpo"]().weigh(
        scored(["policy", "refinement"], [0, 1], logp * 2), torch.ones(2) * 0.75
    )
    assert weighed[1].tolist() == pytest.approx([0.1875, 0.0675, 0.75 * 0.1 / 1.21])
    assert weighed[0].tolist() == [0.75] * 3


def test_seele_finds_the_share_as_worked_by_hand():
    assert curve(0.5, 0.1, 6, -0.6) == pytest.approx(0.4189, abs=1e-4)
    assert solve(0.1, 6, -0.6, 0.5) == pytest.approx(0.5628, abs=1e-4)
    assert solve(0.5, 6, -0.6, 0.5) == 0 and solve(0.0, 32, 0.1, 0.5) == 0 and solve(0.0, 2, -1.1, 0.5) == 1


@pytest.mark.parametrize("points", [((0.5, 0.0),), ((0.5, 1.0),), ((0.5, 0.0), (0.9, 1.0))])
def test_seele_tells_more_where_too_little_is_solved_and_less_where_too_much(points):
    share = solve(*fit(points), 0.5)
    assert all((share > told) == (rate < 0.5) for told, rate in points)


def test_seele_begins_answers_with_a_part_of_the_solution_and_asks_for_more_after_a_failure():
    policy = FakePolicy(["x."] * 4, group_size=4)
    policy.problems["p0"] = two = replace(PROBLEMS[0], completion="0 and 1\nis 1")
    rollouts = [Rollout(two, policy.prompt(two)) for _ in range(4)]
    ROLLOUTS["seele"](rounds=2).roll(rollouts, policy)
    hints = [text.removesuffix("x.") for text, source in told(rollouts) if source == "hint"]
    assert hints[:2] == ["0 and "] * 2  # one line of two: half of the 12 tokens
    assert hints[2] == hints[3] and hints[2].startswith("0 and 1") and all(all(one.trained) for one in rollouts)
    batch = scored(["hint"] * 4, [1, 0, 0, 0], [[-1.0] * 3] * 4, group_size=4)
    batch.facts = [{"hinted": 2}, {"hinted": 0}, {"hinted": 3}, {"hinted": 1}]
    weighed = ROLLOUTS["seele"]().weigh(batch, torch.tensor([0.75, -0.25, -0.25, -0.25]))
    assert weighed.tolist() == [
        pytest.approx(row) for row in ([0.001, 0.001, 0.75], [-0.25] * 3, [0.001] * 3, [0.001, -0.25, -0.25])
    ]


def test_cure_continues_from_before_one_of_the_least_sure_tokens():
    policy = FakePolicy(["a bc d.", "X.", "Y.", "Z."], group_size=4)
    policy.text = lambda rollout: "bc" if as_text(rollout.tokens) == "c" else as_text(rollout.tokens)
    rollouts, _ = rolled("cure", (), 0, policy=policy)
    assert told(rollouts) == [("a bc d.", "policy"), ("a bX.", "branch"), ("a bY.", "branch"), ("a bZ.", "branch")]
    assert rollouts[1].trained == [False] * 3 + [True] * 2
    assert policy.read[1] == "0+1?|a b"


def test_cure_branches_from_the_prompt_where_there_is_no_fork():
    rollouts, _ = rolled("cure", (), 0, policy=FakePolicy(["a.", "X.", "Y.", "Z."], group_size=4))
    assert told(rollouts)[1:] == [("X.", "branch"), ("Y.", "branch"), ("Z.", "branch")]


def test_cure_chooses_among_the_forks_alone():
    policy = FakePolicy(["abcdef", *["."] * 3] * 20, group_size=4)
    policy.text = lambda rollout: "word"
    starts = {told(rolled("cure", (), 0, policy=policy, forks=2)[0])[1][0] for _ in range(20)}
    assert starts == {"abcd.", "abcde."}
