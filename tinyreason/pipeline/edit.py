"""`tinyreason edit`: reads a model's traces, and writes what an edit makes of them as an adapter."""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinyreason.adapters import adapts_embedding
from tinyreason.adapters.edits import Edit, Trace, attention_layers, output_weights, read_states, write_change
from tinyreason.algorithms.rollouts import POLICY
from tinyreason.atomic import write_text
from tinyreason.console import Console
from tinyreason.data.files import read_lines
from tinyreason.errors import DataError, FolderError, ModelError
from tinyreason.evaluation.benchmark_folder import PROBLEMS, SAMPLES, read_samples
from tinyreason.example import Example
from tinyreason.exporting.gguf_adapter import check_plain_lora
from tinyreason.exporting.remember import remember
from tinyreason.grading.thought import thought_and_answer
from tinyreason.inference.model_reference import ModelReference
from tinyreason.inference.sampling import Sampling, prompt_ids
from tinyreason.models.load import skeleton, source_of
from tinyreason.models.saved import save_base_facts
from tinyreason.models.tokenizer import load_tokenizer

ROLLOUTS = 2048
"""So many of a run's rollouts are read, the last of them: an earlier policy wrote the others."""
FACTS = "edit.json"
"""File beside the adapter that says what it was made with."""


@dataclass(frozen=True)
class Written:
    """One completion that somebody's model wrote, ended, to a problem."""

    id: str
    problem: str
    text: str
    correct: bool | None


def check_editable(reference: ModelReference, out: Path) -> None:
    """Refuses an adapter that an edit cannot be joined with, and a folder that is there. Errors: `TinyReasonError`."""
    if reference.adapter and adapts_embedding(reference.adapter):
        raise ModelError("edit joins LoRA adapters of linear layers, and this one is of the embedding; edit its base.")
    if reference.adapter:
        check_plain_lora(reference.adapter, "edit", does="joins")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FolderError(f"{out} is there already; choose another --out.")


def read_written(folder: Path) -> list[Written]:
    """Returns the completions in the folder of a run (its last rollouts) or of an evaluation (of its model).

    Truncated ones are left out, and what a plan of rollouts put there. Errors: `FolderError` for another folder,
    `DataError` where none ended.
    """
    if (folder / SAMPLES).is_file():
        found = list(_of_evaluation(folder))
    elif (folder / "rollouts.jsonl").is_file():
        rows = deque(read_lines(folder / "rollouts.jsonl"), maxlen=ROLLOUTS)
        found = [
            Written(row["problem_id"], row["prompt"], row["completion"], row["correct"])
            for row in rows
            if not row["truncated"] and row.get("source", POLICY) == POLICY
        ]
    else:
        raise FolderError(f"{folder} has no completions; give --from the folder of a run or of an evaluation.")
    if not found:
        raise DataError(f"no completion in {folder} ended before the token limit; raise --max-completion-tokens.")
    return found


def _of_evaluation(folder: Path) -> Iterator[Written]:
    problems = {(row["bench"], row["id"]): row["problem"] for row in read_lines(folder / PROBLEMS)}
    for (side, bench, id, _), one in read_samples(folder).items():
        if side == "model" and not one.truncated:
            yield Written(f"{bench}/{id}", problems[bench, id], one.text, one.correct)


def traces_of(written: list[Written], tokenizer, sampling: Sampling) -> list[Trace]:
    """Returns the completions as tokens behind the prompts that they answer; empty ones are left out."""
    problems = {one.id: one.problem for one in written}
    examples = [Example(id, ({"role": "user", "content": text},), "") for id, text in problems.items()]
    prompts = dict(zip(problems, prompt_ids(tokenizer, examples, sampling), strict=True))
    found = []
    for one in written:
        thought, _ = thought_and_answer(one.text) or ("", "")
        ids, its = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (one.text, thought or one.text))
        begin = len(prompts[one.id])
        if its:
            found.append(Trace(one.id, (*prompts[one.id], *ids), begin, begin + min(len(its), len(ids)), one.correct))
    return found


def make_edit(
    reference: ModelReference, edit: Edit, source: Path, sampling: Sampling, out: Path, console: Console
) -> None:
    """Writes the adapter into `out`, and says what was compared and what came of it. Errors: `TinyReasonError`."""
    attention_layers(skeleton(reference.model))
    written, tokenizer = read_written(source), load_tokenizer(reference.model)
    sides = edit.sides(traces_of(written, tokenizer, sampling))
    for name, side in zip(("", "against "), sides, strict=True):
        least, most = (choose(trace.tokens for trace in side) for choose in (min, max))
        console.say(f"traces  {name}{len(side)} with {least} to {most} tokens, of {len(written):,} in {source}")
    model, _ = reference.load(needs_template=sampling.template == "chat")
    with console.live("reading traces", total=sum(map(len, sides))) as live:
        states = tuple(read_states(model, side, live.advance) for side in sides)
    change = edit.change(states, output_weights(model), model.config.num_attention_heads)
    for line in change.said:
        console.say(line)
    rank = write_change(model, change, out, source_of(reference.model))
    save_base_facts(reference.model, tokenizer, out)
    remember(reference.run, out)
    facts = {"edit": edit.model_dump(mode="json"), "of": reference.name, "from": source.name, "said": change.said}
    facts |= {"traces": [len(side) for side in sides]}
    write_text(out / FACTS, json.dumps(facts, indent=1) + "\n")
    console.say(f"adapter a LoRA of rank {rank} in {out}")
