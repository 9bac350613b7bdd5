"""What an export is asked for, in words, made into files and held against the live adapter."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from tinyreason.adapters import adapted_weights, adapts_embedding, adds_biases, give_biases, merge_adapter
from tinyreason.config.model import Model
from tinyreason.console import Console
from tinyreason.errors import ConfigError, FolderError, ModelError, TinyReasonError
from tinyreason.evaluation.benchmark_run import settle
from tinyreason.evaluation.benchmarks import find_bench
from tinyreason.exporting.card import export_card
from tinyreason.exporting.gate import Gate
from tinyreason.exporting.gguf import TYPES, check_family, gguf_template, write_gguf
from tinyreason.exporting.gguf_adapter import check_plain_lora, write_gguf_adapter
from tinyreason.exporting.merge import DTYPES, own_dtype, write_merged
from tinyreason.exporting.modelfile import check_modelfile, template_turns, write_modelfile
from tinyreason.exporting.parity import LOGITS, PROMPTS, Finding, Question, compare_adapter, graded_problems
from tinyreason.exporting.remember import remember
from tinyreason.exporting.vllm import ADAPTER, COMMAND, TEMPLATE, vllm_command, write_vllm
from tinyreason.exporting.vocabulary import read_vocabulary
from tinyreason.inference.local_sampling import load_with_adapter
from tinyreason.inference.model_reference import ModelReference, read_model_reference
from tinyreason.models.load import skeleton
from tinyreason.models.tokenizer import load_tokenizer
from tinyreason.prompts import chat_messages
from tinyreason.runs.result import RESULT, read_evaluation

Kind = Literal["merged", "gguf", "modelfile", "vllm"]
MODELFILE, CARD = "Modelfile", "README.md"
STRANGERS = "words"
"""Bench whose problems an adapter without a run is asked."""


@dataclass(frozen=True)
class Export:
    """What is exported, in which form and number format, and where to."""

    reference: ModelReference
    run_folder: Path | None
    """None of an adapter without a run."""
    kind: Kind
    to: Path
    type: str = "f16"
    """Of a GGUF file."""
    dtype: str = "float32"
    """Of a merged folder."""
    adapter_only: bool = False
    problems: int = 64
    """So many of the run's own evaluation are asked again; 0 = none."""

    @property
    def name(self) -> str:
        """Returns what the files are called."""
        return self.run_folder.resolve().name if self.run_folder else self.reference.name

    @property
    def format(self) -> str:
        """Returns the number format of the weights that are written."""
        return {"merged": self.dtype, "vllm": "float32"}.get(self.kind, self.type)

    @property
    def finest(self) -> str:
        """Returns the number format that the live adapter itself computes in: LLM.int8 rounds what it multiplies."""
        return "q8_0" if self.reference.model.quantize == "int8" else "float32"

    @property
    def logit_format(self) -> str:
        """Returns the number format whose rounding the logits may differ by."""
        return max(self.format, self.finest, key=LOGITS.__getitem__)

    @property
    def is_gguf(self) -> bool:
        """Returns whether the weights are in a GGUF file."""
        return self.kind in ("gguf", "modelfile")

    @property
    def place(self) -> Path:
        """Returns what it is loaded from."""
        return self.file if self.is_gguf else self.to

    @property
    def file(self) -> Path:
        """Returns the file that decides whether the export is there."""
        names = {
            "merged": "config.json",
            "gguf": f"{self.name}-adapter.gguf" if self.adapter_only else f"{self.name}-{self.type}.gguf",
            "modelfile": f"{self.name}-{self.type}.gguf",
            "vllm": COMMAND,
        }
        return self.to / names[self.kind]


@dataclass
class Exported:
    """What was written, and what came of holding it against the live adapter."""

    place: Path
    """The folder, or the GGUF file, that it is loaded from."""
    findings: list[Finding] = field(default_factory=list)
    line: str | None = None
    """The command that serves it, of vllm."""

    @property
    def passes(self) -> bool:
        """Returns whether everything agrees."""
        return all(finding.agrees for finding in self.findings)


def read_export(
    word: str,
    kind: Kind,
    to: Path | None = None,
    type: str = "f16",
    dtype: str | None = None,
    adapter_only: bool = False,
    problems: int = 64,
    base: str | None = None,
) -> tuple[Export, str]:
    """Returns what is to be exported, and why in this number format; nothing heavy is loaded.

    Errors: `ConfigError` for a form or a number format that there is not; `FolderError`, `ModelError` for what is not a
    run or an adapter, and for what this form cannot do with it.
    """
    for name, given, allowed in (("kind", kind, get_args(Kind)), ("type", type, TYPES), ("dtype", dtype, DTYPES)):
        if given is not None and given not in allowed:
            raise ConfigError(f"export has no {name} '{given}'; it has {', '.join(allowed)}.")
    reference = read_model_reference(word, base=base)
    if reference.adapter is None:
        raise ModelError(f"{word} has no adapter to export; give the folder of a run or of an adapter.")
    if adapts_embedding(reference.adapter):
        raise ModelError(
            f"{word} is a token that budget forcing puts in, which no other program does, and a merged model would say "
            f"it by itself where its embeddings are tied; eval, chat and PEFT take the adapter as it is."
        )
    folder = reference.adapter.parent
    if reference.run is None and (folder / RESULT).is_file():  # the adapter of a run
        reference = replace(reference, run=read_model_reference(str(folder), base=base).run)
    run_folder = folder if (folder / RESULT).is_file() else None
    dtype, why = (dtype, "asked for") if dtype else own_dtype(reference.model) if kind == "merged" else ("float32", "")
    name = run_folder.resolve().name if run_folder else reference.name
    to = to or Path("exports") / f"{name}-{kind}"
    export = Export(reference, run_folder, kind, to, type, dtype, adapter_only, problems)
    if kind == "vllm":
        vllm_command(reference.model, reference.adapter, name)
    elif adapter_only:
        check_plain_lora(reference.adapter, "gguf --adapter-only")
    return export, why


def make_export(export: Export, console: Console, is_written: bool = False) -> Exported:
    """Writes an export and holds it against the live adapter; of one that `is_written` the second alone.

    Errors: `FolderError` where the files are there already, or cannot be written; `ModelError` for a model family that
    this form cannot do.
    """
    check_form(export)
    check_place(export, is_written)
    base = export.reference.model.model_copy(update={"dtype": "float32"})
    live, tokenizer = load_with_adapter(base, export.reference.adapter)
    gate = Gate.ask(live, tokenizer, read_question(export, console))
    if export.kind == "vllm":
        del live
        return export_vllm(export, tokenizer, gate, console, is_written)
    weights = adapted_weights(live)
    merged = merge_adapter(live, export.reference.adapter)
    changes = {name: (merged.get_parameter(name) - weight).cpu() for name, weight in weights.items()}
    del live, weights
    findings = [gate.hold_merged(merged, export.finest)]
    if not is_written:
        with writing(export):
            write(export, merged, tokenizer)
    config, wanted = merged.config, merged.state_dict()
    del merged
    if export.adapter_only:
        return Exported(export.place, [*findings, *compare_adapter(export.file, config, changes)])
    try:
        found, its_tokenizer = load_with_adapter(Model(name=str(export.place), dtype="float32"), None)
    except ModelError as error:
        return Exported(export.place, [*findings, Finding("reader", False, str(error))])
    template = gguf_template if export.is_gguf else str
    findings += gate.hold(
        found, its_tokenizer, export.format, export.logit_format, console, template, (wanted, changes)
    )
    if export.kind == "modelfile":
        findings.append(hold_modelfile(export, gate, tokenizer, config.model_type))
    return Exported(export.place, findings)


def export_vllm(export: Export, tokenizer, gate: Gate, console: Console, is_written: bool) -> Exported:
    """Writes the adapter with the line that serves it, and holds the copy against the live adapter."""
    base, name = export.reference.model, export.name
    if not is_written:
        with writing(export):
            write_vllm(base, export.reference.adapter, tokenizer, name, export.to)
    found, its_tokenizer = load_with_adapter(base.model_copy(update={"dtype": "float32"}), export.to / ADAPTER)
    its_tokenizer.chat_template = (export.to / TEMPLATE).read_text(encoding="utf-8")
    findings = gate.hold(found, its_tokenizer, export.format, export.logit_format, console)
    return Exported(export.place, findings, vllm_command(base, export.to / ADAPTER, name))


def hold_modelfile(export: Export, gate: Gate, tokenizer, family: str) -> Finding:
    """Returns whether the Modelfile's template writes the held-out prompts as the tokenizer's does."""
    question = gate.question
    chats = [chat_messages(example, question.sampling.prompt) for example in question.examples[:PROMPTS]]
    pairs = list(zip(chats, gate.observed.prompts, strict=True))
    same = check_modelfile(export.to / MODELFILE, tokenizer, export.reference.run, family, pairs)
    said = f"Ollama's template writes {'the same' if same else 'other'} prompts"
    return Finding("modelfile", same, said)


def check_form(export: Export) -> None:
    """Refuses, before any weight is read, a form that this base cannot have. Errors: `ModelError`, with its family."""
    if adds_biases(export.reference.adapter):
        if export.is_gguf:
            raise ModelError(f"{export.kind} has no place for the biases of this adapter; export it merged.")
        give_biases(skeleton(export.reference.model))
    if not export.is_gguf:
        return
    config, tokenizer = skeleton(export.reference.model).config, load_tokenizer(export.reference.model)
    check_family(config)
    if not export.adapter_only:
        read_vocabulary(tokenizer, config.vocab_size, config.model_type)
    if export.kind == "modelfile":
        template_turns(tokenizer, template_options_of(export), config.model_type)


def check_place(export: Export, is_written: bool) -> None:
    """Refuses a place where an export is, or is not, as it should be. Errors: `FolderError`."""
    if is_written and not export.file.is_file():
        raise FolderError(f"there is no export to check in {export.to}: {export.file.name} is missing.")
    is_folder = export.to.is_dir()
    taken = (
        export.to.exists()
        if not is_folder
        else export.file.exists() or (not export.is_gguf and any(export.to.iterdir()))
    )
    if not is_written and taken:
        raise FolderError(
            f"{export.file if export.file.exists() else export.to} is there already; choose another --to, or hold it "
            f"against the adapter again with --check."
        )
    try:
        export.to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderError(f"cannot write into {export.to}: {error.strerror}; choose another --to.") from None


@contextmanager
def writing(export: Export) -> Iterator[None]:
    """Adds to what is written inside what an export remembers, and its card. Errors: `FolderError` of the disk."""
    try:
        yield
        remember(export.reference.run, export.to)
        card = export_card(export.run_folder, export.reference, export.kind, export.file.name)
        (export.to / CARD).write_text(card, encoding="utf-8")
    except TinyReasonError:
        raise
    except OSError as error:
        raise FolderError(f"cannot write into {export.to}: {error.strerror or error}; choose another --to.") from None


def write(export: Export, merged, tokenizer) -> None:
    """Writes a merged model, or the adapter alone, in the form that is asked for."""
    if export.kind == "merged":
        write_merged(merged, tokenizer, export.dtype, export.to)
        return
    part = export.file.with_suffix(".part")
    if export.adapter_only:
        write_gguf_adapter(export.reference.adapter, merged.config, export.name, part)
    else:
        write_gguf(merged, tokenizer, export.type, export.name, part)
    part.replace(export.file)
    if export.kind == "modelfile":
        write_modelfile(merged, tokenizer, export.reference.run, export.file.name, export.to / MODELFILE)


def read_question(export: Export, console: Console) -> Question:
    """Returns the problems of the run's own evaluation and how it asked them; of an adapter alone words problems."""
    run = export.reference.run
    sampling = settle(export.reference, {"samples": 1, "seed": run.seed if run else 0})
    if run:
        sampling = replace(sampling, temperature=run.evaluation.temperature, engine=run.inference.engine)
    stored = read_evaluation(export.run_folder) if export.run_folder else None
    graded = graded_problems(stored.after, max(export.problems, PROMPTS)) if stored else []
    if not graded:
        console.say("caveat  there is no evaluation to ask again, so logits and completions alone are compared")
        return Question(find_bench(STRANGERS).load(None, PROMPTS), sampling, [])
    return Question([example for example, _ in graded[:PROMPTS]], sampling, graded[: export.problems])


def template_options_of(export: Export) -> dict[str, Any]:
    """Returns the options of the chat template that the run had."""
    return export.reference.run.template_options if export.reference.run else {}
