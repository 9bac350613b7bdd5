"""What a plan makes of a step reaches TRL: prompts, tokens, masks, weights; and a run that is cut resumes exactly."""

import pytest
import torch
from sessions import session_of

from tinyreason.algorithms.rollouts import Rollout
from tinyreason.config.recipe import read_recipe
from tinyreason.trainers.grpo import LeafGRPOTrainer

ONE = "train.max_steps=1"
QUICK = (
    *("train.max_steps=2", "train.rollouts_per_step=16", "train.group_size=8", "train.max_completion_tokens=48"),
    *("data={kind: generated, task: {kind: minus_sign}, traces: true, size: 6}", "prompt=plain"),
    *("train.kl=0", "advantage.kind=dr_grpo", "train.loss=dr_grpo", "evaluation.data=null"),
)


@pytest.fixture
def trained(tmp_path):
    """Returns (trainer, rollouts) of two steps on stories whose question the sandbox's model does not know."""

    def train(*overrides: str, seed=None):
        config = read_recipe("rlvr").resolve("sandbox", (*QUICK, *overrides))
        with session_of(config, tmp_path / "run") as session:
            trainer = LeafGRPOTrainer(session, config.data.load(), lambda step, metrics: {}, None)
            seen = []
            compute = trainer.compute_loss

            def spy(model, inputs, *rest, **more):
                seen.append({name: value for name, value in inputs.items() if torch.is_tensor(value)})
                return compute(model, inputs, *rest, **more)

            trainer.compute_loss = spy
            trainer.run()
            return trainer, session.folder.read_rows("rollouts.jsonl"), session.folder.read_rows("metrics.jsonl"), seen

    return train


def test_solutions_are_in_the_groups_and_count_as_weighed(trained):
    trainer, rows, metrics, seen = trained("rollouts.kind=luffy")
    assert [row["source"] for row in rows[:16]] == (["policy"] * 7 + ["solution"]) * 2
    shown = [row for row in rows if row["source"] == "solution"]
    assert all(row["correct"] for row in shown) and all(row["advantage"] > 0 for row in shown)
    assert metrics[0]["rollouts/solution"] == 0.125
    example = trainer.planned.problems[shown[0]["problem_id"]]
    assert shown[0]["completion"] == example.completion
    inputs = seen[0]
    assert inputs["advantages"].shape == inputs["completion_ids"].shape  # each token has its own weight
    prompts = inputs["prompt_ids"][inputs["prompt_mask"].bool()].tolist()
    assert prompts[: len(trainer.planned.prompt(trainer.scorer.examples[0]))]  # the plain problem, whatever was read


def test_a_step_of_solutions_alone_is_compared_with_nobody_and_trained_on(trained):
    trainer, rows, metrics, seen = trained("rollouts={kind: relift, size: 2}")
    assert {row["source"] for row in rows[:16]} == {"policy"} and {row["source"] for row in rows[16:]} == {"solution"}
    assert "reward/mean" in metrics[0] and "reward/mean" not in metrics[1]  # nothing was compared
    assert (seen[-1]["advantages"] == 1).all() and metrics[1]["gradient/norm"] > 0
    assert trainer.scorer.store.get("relift", "waiting") == []


def test_a_plans_prompt_is_the_one_that_trl_makes(trained):
    trainer, *_ = trained("rollouts.kind=expo", "train.max_steps=1")
    asked = [rollout.prompt for rollout in trainer.scorer.rolled]
    assert asked == [trainer.planned.prompt(rollout.example) for rollout in trainer.scorer.rolled]


def test_without_a_plan_nothing_is_different(trained):
    _, rows, metrics, seen = trained()
    assert "source" not in rows[0] and "tool_mask" not in seen[0]
    assert not any(name.startswith("rollouts/") for name in metrics[0])


def test_tokens_that_nobody_is_trained_on_have_no_gradient(trained, monkeypatch):
    from tinyreason.algorithms.rollouts.luffy import Luffy

    def roll(self, rollouts, policy):
        for rollout in rollouts:
            rollout.add(policy.encode("<think>"), is_trained=False)
        policy.sample(rollouts)

    monkeypatch.setattr(Luffy, "roll", roll)
    trainer, rows, _, seen = trained("rollouts.kind=luffy", "train.max_steps=1")
    forced = len(trainer.planned.encode("<think>"))
    assert all(row["completion"].startswith("<think>") for row in rows)
    assert not seen[0]["tool_mask"][:, :forced].any() and seen[0]["tool_mask"][:, forced].all()
    assert not trainer.scorer.batch.mask[:, :forced].any()


def test_each_call_of_a_step_has_luck_of_its_own_and_the_same_when_repeated(trained):
    trainer, *_ = trained("rollouts.kind=expo", "train.max_steps=1")
    prompts = [rollout.prompt for rollout in trainer.scorer.rolled][:4]
    by_call = []
    for call in (0, 1, 0):
        trainer.planned.call = call
        by_call.append(trainer.sampled(prompts, 24))
    assert by_call[0] == by_call[2] != by_call[1]


def test_a_later_attempt_follows_the_feedback_as_the_chat_template_writes_it(trained):
    plan = "rollouts={kind: multi_attempt, least: 3, most: 3}"
    trainer, rows, *_ = trained(plan, "rewards=[{kind: ufo_retry}]", "train.max_steps=1")
    between = "<|end|><|user|>Incorrect. Try again.<|end|><|assistant|>"
    turns = [row["completion"].removesuffix("<|end|>").split(between) for row in rows]
    assert max(map(len, turns)) > 1 and all("<|user|>" not in turn for row in turns for turn in row)
    rolled = trainer.scorer.rolled
    assert [len(rollout.facts["answers"]) for rollout in rolled] == list(map(len, turns))
    batch = trainer.scorer.batch
    assert batch.texts == [row[-1] for row in turns]
    later = next(n for n, row in enumerate(turns) if len(row) == 2)
    told = trainer.planned.encode(between.removeprefix("<|end|>"))
    trained_on = [id for id, is_trained in zip(rolled[later].tokens, rolled[later].trained, strict=True) if is_trained]
    assert len(trained_on) == len(rolled[later].tokens) - len(told)


def test_the_base_answers_for_itself_once_a_problem_and_half_a_group_at_once(trained):
    plan = "rollouts={kind: adaptthink, starts: ['\\boxed{', <think>], references: 2}"
    chain = ("data={kind: problems, name: sandbox, size: 6}", "advantage={kind: adaptthink}", "train.loss=grpo")
    trainer, rows, *_ = trained(plan, *chain)
    assert [row["source"] for row in rows[:8]] == ["at_once"] * 4 + ["thinking"] * 4
    assert all(row["completion"].startswith("\\boxed{" if row["source"] == "at_once" else "<think>") for row in rows)
    known = trainer.scorer.store.get("adaptthink", "references")
    assert set(known) == {row["problem_id"] for row in rows}
    thought = trainer.scorer.batch.facts[4]
    assert thought["reference"] == known[rows[-8]["problem_id"]] and thought["forced"] == 1


def test_the_base_does_not_depend_on_the_adapter(trained):
    trainer, *_ = trained("rollouts.kind=expo", "train.max_steps=1")
    policy = trainer.planned

    def sampled(by_base):
        policy.call = 1
        tries = [Rollout(one.example, one.prompt) for one in trainer.scorer.rolled[:4]]
        policy.sample(tries, by_base=by_base)
        return [one.tokens for one in tries]

    before = sampled(True), sampled(False)
    with torch.no_grad():
        for name, weight in trainer.session.model.named_parameters():
            if "lora_B" in name:
                weight.add_(0.3)
    after = sampled(True), sampled(False)
    assert before[0] == after[0] and before[1] != after[1]


@pytest.mark.parametrize(
    ("plan", "sources"),
    [
        ("critique_grpo", (["policy"] * 7 + ["refinement"]) * 2),
        ("cure", (["policy"] + ["branch"] * 3) * 4),
        ("{kind: seele, rounds: 2}", ["hint"] * 4),
    ],
)
def test_a_plan_that_samples_more_than_once_fills_its_groups(trained, plan, sources):
    trainer, rows, _, seen = trained(f"rollouts={plan}" if "{" in plan else f"rollouts.kind={plan}", ONE)
    assert [row["source"] for row in rows[: len(sources)]] == sources
    assert seen[0]["advantages"].isfinite().all() and trainer.planned.call > 1
    if plan == "cure":
        family = trainer.scorer.rolled[:4]
        forced = [one.trained.count(False) for one in family[1:]]
        assert len(set(forced)) == 1 and all(one.tokens[: forced[0]] == family[0].tokens[: forced[0]] for one in family)
        assert not seen[0]["tool_mask"][1, : forced[0]].any()
