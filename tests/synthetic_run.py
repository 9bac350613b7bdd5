"""A run folder as a run leaves it, of any size, without a model."""

import json
import random

WORDS = "so we add the first two numbers and then check that the sum is what the problem asks for".split()


def write_run(path, steps=4, groups=2, group_size=4, completion=None, result=True, words=12, **changes):
    """Writes the folder; `completion(step)` is what a rollout says, `changes` go into result.json. Returns the path."""
    chance = random.Random(0)
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(
        f"recipe: one_shot_rlvr\ntier: sandbox\nabout: GRPO on one problem\ntrain:\n  max_steps: {steps}\n"
        "validation:\n  problems: 128\n  every_steps: 2\n"
    )
    (path / "environment.json").write_text(json.dumps({"command": "tinyreason recipe one_shot_rlvr", "device": "cpu"}))

    def says(step):
        if completion:
            return completion(step)
        text = " ".join(chance.choice(WORDS) for _ in range(words))
        return f"<think>\n{text} {chance.random()}\n</think>\n\\boxed{{{chance.randrange(100)}}}"

    with open(path / "metrics.jsonl", "w") as metrics, open(path / "rollouts.jsonl", "w") as rollouts:
        for step in range(1, steps + 1):
            for group in range(groups):
                for _ in range(group_size):
                    rollouts.write(json.dumps(rollout(step, group, says(step), chance.random() < step / steps)) + "\n")
            row = {"step": step, "reward/mean": step / steps, "kl/mean": 0.01 * step, "entropy/mean": 1 / step}
            row |= {"group/share_zero_variance": 0.1, "length/mean_tokens": 20.0, "time/step_s": 1.5}
            if step % 2 == 0:
                row["validation/accuracy"] = step / steps
            metrics.write(json.dumps(row) + "\n")
    if result:
        (path / "evaluation.json").write_text(json.dumps(evaluation(says)))
        (path / "result.json").write_text(json.dumps(outcome() | changes))
    return path


def write_stage(path, steps=3, **changes):
    """Writes the folder of a stage that is done, with a score; `changes` go into stage.json."""
    path.mkdir(parents=True)
    rows = [{"step": step, "loss": 1 / step, "reward/mean": step / steps} for step in range(1, steps + 1)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = [{"by": "fair", "before": 200, "after": 80, "why": "120 more than n"}]
    stage = {"name": path.name, "trainer": "sft", "data": "80 solutions", "rows": 80, "rows_changed": made}
    (path / "stage.json").write_text(json.dumps(stage | {"steps": steps, "seconds": 90.0} | changes))
    score = outcome()["before"] | {"accuracy": 0.375, "interval": [0.3, 0.45], "problems_asked": [{"text": "long"}]}
    (path / "evaluation.json").write_text(json.dumps(score))


def rollout(step, group, text, is_correct):
    reward = float(is_correct)
    return {
        **{"step": step, "group": group, "problem_id": f"p/{group}", "prompt": f"What is {group} + {step}?"},
        **{"completion": text, "tokens": len(text) // 4, "truncated": False, "correct": is_correct},
        **{"rewards": {"correctness": reward, "format": 1.0}, "reward": reward + 1, "advantage": reward - 0.5},
    }


def evaluation(says, problems=6):
    more = {"tokens": 9, "truncated": False}
    return {
        side: [
            {"id": f"t/{n}", "problem": f"Problem {n}?", "answer": str(n), "accuracy": float(is_correct)}
            | {"replies": [{"text": says(1), "correct": is_correct} | more]}
            for n in range(problems)
        ]
        for side, is_correct in (("before", False), ("after", True))
    }


def outcome(points=40.0, interval=(35.0, 45.0), verdict="improved"):
    side = {"mean_tokens": 20.0, "truncated": 0.0, "problems": 256, "samples": 4}
    return {
        "recipe": "one_shot_rlvr",
        "model": "sandbox",
        "adapter": {"kind": "lora", "trainable_parameters": 4608},
        "before": side | {"accuracy": 0.25, "interval": [0.22, 0.28]},
        "after": side | {"accuracy": 0.25 + points / 100, "interval": [0.6, 0.7]},
        "gain": {"points": points, "interval": list(interval)},
        "verdict": verdict,
        "expected": None,
        "training": {"problems": "problem 3 of the sandbox", "steps": 4, "kept_step": 4, "validation_accuracy": 0.9},
        "seconds": {"total": 240.0, "train": 200.0, "evaluate": 30.0},
        "peak_memory_gb": 1.2,
        "command": "tinyreason recipe one_shot_rlvr",
        "seed": 0,
    }


def controls(points):
    """What --controls leaves, where the format reward gained so much of the run's 40 points, and the random one 0.4."""
    rows = (("correctness", 40.0, "improved"), ("format", points, "improved"), ("random", 0.4, "cannot tell"))
    gains = {name: {"points": gain, "interval": [gain - 2, gain + 2], "p_value": 0.5} for name, gain, _ in rows}
    return {
        "runs": [
            {"reward": name, "folder": f"controls/{name}", "accuracy": 0.25 + gain / 100, "interval": [0.2, 0.7]}
            | {"gain": gains[name], "verdict": verdict}
            for name, gain, verdict in rows
        ],
        "beyond": [
            {"control": name, "verdict": "improved"}
            | {"gain": {"points": 40 - gain, "interval": [37 - gain, 43 - gain], "p_value": 0.001}}
            for name, gain, _ in rows[1:]
        ],
        "chosen": {"step": 3, "steps": 4, "accuracy": 0.9, "last_accuracy": 0.88},
    }
