"""The README.md of an adapter or an export: what it is, what was measured, how it is loaded; it names no path."""

import json
import shlex
from contextlib import suppress
from pathlib import Path

from tinyreason import atomic
from tinyreason.config.model import Model
from tinyreason.config.run_config import RunConfig
from tinyreason.exporting.licences import licence_of_base, licence_of_data
from tinyreason.exporting.private import command_without_paths, without_paths
from tinyreason.inference.model_reference import ModelReference, looks_local, read_run_config
from tinyreason.models.gguf import gguf_file
from tinyreason.models.load import files_of
from tinyreason.prompts import PROMPTS, SYSTEMS
from tinyreason.runs.result import RunResult, read_result

LOAD_ADAPTER = """\
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

model = AutoPeftModelForCausalLM.from_pretrained("{place}"{file})  # this folder
tokenizer = AutoTokenizer.from_pretrained(model.peft_config["default"].base_model_name_or_path{file})
"""
LOAD_MODEL = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("."{file})  # this folder
tokenizer = AutoTokenizer.from_pretrained("."{file})
"""
ASK = """\
chat = [{{"role": "user", "content": "{problem}"}}]
prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
print(tokenizer.decode(model.generate(**prompt, max_new_tokens={tokens})[0]))
"""
PROBLEM = "What is 12 + 30?"
FORMS = {
    "adapter": "A {kind} adapter of rank {rank} on {base}",
    "merged": "{base} with a {kind} adapter of rank {rank} merged into its weights",
    "gguf": "{base} with a {kind} adapter of rank {rank} merged into its weights, as GGUF",
    "modelfile": "{base} with a {kind} adapter of rank {rank} merged into its weights, for Ollama: "
    "`ollama create {recipe} -f Modelfile`",
    "vllm": "A {kind} adapter of rank {rank} on {base}, for vLLM: `sh serve.sh`",
}


def save_adapter(config: RunConfig, model, folder: Path) -> None:
    """Saves the model's adapter into a folder that any PEFT user can load, with a card."""
    config.adapter.save(model, folder)
    (folder / "README.md").write_text(adapter_card(config), encoding="utf-8")


def adapter_card(config: RunConfig, run: Path | None = None, form: str = "adapter", file: str = "") -> str:
    """Returns the card of an adapter, or of an export in another form; of a base in a folder it has the name alone.

    With the folder of its finished `run` it says what was measured. `file` is the GGUF file of an export.
    """
    known = base_name(config.model)
    words = {"kind": config.adapter.kind, "rank": config.adapter.rank, "base": known, "recipe": config.recipe}
    result = read_result(run) if run else None
    about = f"{FORMS[form].format(**words)}, trained with tinyreason: recipe `{config.recipe}`, tier `{config.tier}`, "
    lines = [*front_matter(config, form), f"# {config.recipe}", "", f"{about}seed {config.seed}.", *forced(config)]
    if result:
        lines += ["", *measured(config, result), "", *made_of(config, run, result), "", *untested(config)]
    else:
        lines += ["What it gained stands in `result.json` of its run, once that is done."]
    return "\n".join([*lines, "", "## Load it", "", "```python", f"{lines_that_load(config, form, file)}```", ""])


def forced(config: RunConfig) -> list[str]:
    """Returns what is put into the completions of a run with budget forcing, which loading it alone does not do."""
    budget = config.thought_budget
    if budget is None:
        return []
    what = "the token whose embedding it changes" if config.adapter.kind == "new_token" else f"“{budget.word}”"
    times = f", {budget.most} times at most" if budget.most else ""
    return [
        f"It was trained and measured with budget forcing: in place of `</think>` before token {budget.budget:,} of a "
        f"completion, {what} is put in{times}."
    ]


def export_card(run: Path | None, reference: ModelReference, form: str, file: str) -> str:
    """Returns the card of an export; of an adapter that no run is known of it says only what it is made of."""
    if reference.run is not None:
        return adapter_card(reference.run, run, form, file)
    base = base_name(reference.model)
    return f"# {reference.name}\n\nThe adapter {reference.name} on {base}, exported by tinyreason as {form}.\n"


def base_name(model: Model) -> str:
    """Returns what others know a base as: its hub id, or of a folder or file on this machine the name alone."""
    return model.name if is_of_the_hub(model) else Path(model.name).name


def is_of_the_hub(model: Model) -> bool:
    """Returns whether a base has a hub id."""
    return not model.is_built_in and not Path(model.name).exists() and not looks_local(model.name)


def front_matter(config: RunConfig, form: str) -> list[str]:
    """Returns what the hub reads at the head of a card."""
    licence = licence_of_base(config.model)
    lines = ["---", f"library_name: {'peft' if form in ('adapter', 'vllm') else 'transformers'}"]
    lines += [f"base_model: {config.model.name}"] if is_of_the_hub(config.model) else []
    return [*lines, *([f"license: {licence}"] if licence else []), "---", ""]


def measured(config: RunConfig, result: RunResult) -> list[str]:
    """Returns the verdict with its interval, by both graders."""
    before, after = result.before, result.after
    asked = f"{after.problems:,} held-out problems, {after.samples} completion{'s' * (after.samples > 1)} each"
    lines = [
        "## What was measured",
        "",
        f"Verdict: **{result.verdict}**" + (f" ({result.verdict_reason})" if result.verdict_reason else "") + ".",
        f"Asked were {asked}, before and after training; intervals are at 95 %.",
        "",
        "| grader | before | after | gain, points |",
        "|---|---|---|---|",
        f"| of the training | {before.accuracy:.1%} | {after.accuracy:.1%} | {result.gain.in_words} |",
    ]
    if second := result.second_opinion:
        first, last = second.accuracy
        lines.append(f"| a stricter one, unseen in training | {first:.1%} | {last:.1%} | {second.gain.in_words} |")
    tokens = f"{before.mean_tokens:.0f} tokens a completion before, {after.mean_tokens:.0f} after"
    return [*lines, "", f"{tokens}; the evaluation sampled at temperature {config.evaluation.temperature:g}."]


def made_of(config: RunConfig, run: Path, result: RunResult) -> list[str]:
    """Returns what it can be made again from: base, data, recipe, prompt, each with its hash or name."""
    start = hashes(run)
    base, template = config.model, config.model.chat_template
    rows = {
        "base": base_name(base) + (f", revision {revision}" if (revision := revision_of(base)) else ""),
        "base, SHA-256": start.get("base_sha256"),
        "licence of the base": licence_of_base(base) or "not known here",
        "teacher": str(without_paths(config.teacher_model.describe())) if config.teacher_model else None,
        "data": str(without_paths(config.data.describe())),
        "licence of the data": licence_of_data(config.data) or "not known here",
        "data, SHA-256": start.get("data_sha256"),
        **{f"{name} problems, SHA-256": digest for name, digest in start.get("splits_sha256", {}).items()},
        "recipe": f"{config.recipe}, tier {config.tier}, seed {config.seed}",
        "overrides": " ".join(overrides_of(result.command)) or "none",
        "trained": f"{result.training.steps} steps, {result.adapter.trainable_parameters:,} parameters"
        if result.training.steps and result.adapter.trainable_parameters
        else None,
        "prompt": f"`{config.prompt}`: {prompt_in_words(config.prompt)}",
        "chat template": Path(template).name if template else "the tokenizer's own",
        "template options": json.dumps(config.template_options) if config.template_options else None,
        "longest completion": f"{config.evaluation.max_completion_tokens:,} tokens",
        "command": f"`{command_without_paths(result.command)}`" if result.command else None,
    }
    return ["## What it is made of", "", "| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items() if v)]


def untested(config: RunConfig) -> list[str]:
    """Returns what nothing here says anything about."""
    tested = config.evaluation.data or config.data
    return [
        "## What it was not tested on",
        "",
        f"It was tested on problems of {without_paths(tested.origin)} alone, in the prompt and template above, with "
        f"completions of at most {config.evaluation.max_completion_tokens:,} tokens. Nothing was measured on other "
        f"benchmarks, other languages, longer conversations, or of what the base could do before: general knowledge, "
        f"following instructions, refusing harmful requests.",
    ]


def lines_that_load(config: RunConfig, form: str, file: str) -> str:
    """Returns the lines of Python that load it and ask it a problem, as the run asked."""
    own = file if form in ("gguf", "modelfile") else gguf_file(config.model) if form in ("adapter", "vllm") else None
    option = f", gguf_file={own!r}" if own else ""
    load = LOAD_ADAPTER if form in ("adapter", "vllm") else LOAD_MODEL
    problem = PROMPTS[config.prompt].format(problem=PROBLEM).replace("\\", "\\\\").replace("\n", "\\n")
    ask = ASK.format(problem=problem, tokens=config.evaluation.max_completion_tokens)
    return load.format(place="adapter", file=option) + ask


def prompt_in_words(prompt: str) -> str:
    """Returns how a problem is put, in one line."""
    if prompt in SYSTEMS:
        return f"as it is, after the system message “{SYSTEMS[prompt]}”"
    request = PROMPTS[prompt].format(problem="…").removeprefix("…").strip()
    return f"the problem, then “{request}”" if request else "the problem as it is"


def overrides_of(command: str | None) -> list[str]:
    """Returns the words `key=value` of a command line, without paths of this machine."""
    words = shlex.split(command_without_paths(command)) if command else []
    return [word for word in words if "=" in word and not word.startswith("-")]


def hashes(run: Path) -> dict:
    """Returns what the run wrote down of its base and its data when it began; empty of an older or broken one."""
    with suppress(OSError, ValueError):
        found = json.loads((run / "checkpoints" / "start.json").read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def revision_of(base: Model) -> str | None:
    """Returns the commit of the hub that a base was loaded at; None of one on this machine."""
    if not is_of_the_hub(base):
        return None
    with suppress(OSError):
        parts = files_of(base)[1][0].parts
        return parts[parts.index("snapshots") + 1] if "snapshots" in parts else None
    return None


def write_run_card(run: Path) -> None:
    """Writes the card of a finished run's adapter into its folder."""
    atomic.write_text(run / "adapter" / "README.md", adapter_card(read_run_config(run), run))
