"""What several processes can share of a run, and how many rows each takes at once."""

from collections.abc import Mapping
from typing import Any

from tinyreason.config.describe import sections
from tinyreason.errors import ConfigError
from tinyreason.own_code.leaf import OwnLeaf

SAMPLED_BY_TRL = ("use_vllm", "use_transformers_continuous_batching", "repetition_penalty")
"""Options under `trl:` with which TRL samples rollouts itself, by random numbers that are not each row's own."""

SHARDING = ("fsdp", "deepspeed", "parallelism_config")
"""Options under `trl:` that spread one model over processes."""
SHARDERS = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism config",
}
"""What accelerate says in the environment → what its config asks for, which does the same."""
OURS = {"ACCELERATE_MIXED_PRECISION": "mixed_precision", "ACCELERATE_DYNAMO_BACKEND": "dynamo_backend"}
"""What it says there → the option of its config, that would change how a run computes."""
WHOLE = "each process holds a whole model here, to sample and score with; model.quantize=nf4 makes a base small"


def check_launcher(environment: Mapping[str, str]) -> None:
    """Refuses a launch in which accelerate would do what a run does, or on several machines. Errors: `ConfigError`."""
    sharder = next(
        (name for told, name in SHARDERS.items() if environment.get(told, "").lower() in ("true", "1")), None
    )
    if sharder:
        raise ConfigError(
            f"accelerate's config asks for {sharder}, which spreads a model over processes, and {WHOLE}; take a config "
            f"without it, or type --processes 2 without accelerate."
        )
    for told, option in OURS.items():
        if environment.get(told, "no").lower() not in ("no", ""):
            raise ConfigError(
                f"accelerate's config has {option}: {environment[told]}, and a run's own config says how it computes; "
                f"set it to no there, and type model.dtype= here."
            )
    here, many = (environment.get(name, "1") for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    if here != many and "LOCAL_WORLD_SIZE" in environment:
        raise ConfigError(f"{many} processes were launched on several machines, and a run is of one machine.")


def micro_rows(train: Any, processes: int) -> int:
    """Returns the rows of one backward pass, fewer where that leaves a process without one."""
    if processes == 1:
        return train.micro_rows
    share = train.rows_per_step // processes
    return max(size for size in range(1, min(train.micro_rows, share) + 1) if share % size == 0)


def sampled_rows(run: Any) -> int:
    """Returns how many completions each process samples for a step."""
    return -(-run.train.generated_rows // run.processes)


def is_sampled_by_trl(run: Any) -> bool:
    """Returns whether TRL is to sample a run's rollouts, as an engine or an option of its own is asked for."""
    others = set(run.trl.get("generation_kwargs") or ()) - {"min_new_tokens"}
    return run.inference.engine == "trl" or bool(others) or any(run.trl.get(name) for name in SAMPLED_BY_TRL)


def check_processes(run: Any) -> None:
    """Refuses what several processes would compute otherwise than one, or cannot share. Errors: `ValueError`."""
    many = run.processes
    if sharded := next((name for name in SHARDING if run.trl.get(name)), None):
        raise ValueError(f"trl.{sharded} spreads a model over processes, and {WHOLE}; leave trl.{sharded} out")
    if many == 1:
        return
    for path, train in (("train", run.train), *([("warmup.train", run.warmup.train)] if run.warmup else [])):
        rows = train.rows_per_step
        if rows % many:
            raise ValueError(f"processes={many} cannot share {path}'s {rows} rows of a step evenly; type a divisor")
        micro = micro_rows(train, many)
        if micro != train.micro_rows and (mean := mean_of_a_micro_batch(train)):
            raise ValueError(
                f"{mean} depends on the rows of one backward pass, of which processes={many} need more; type "
                f"{path}.micro_batch_size={micro}, with one process too"
            )
    if run.is_sampled_by_trl:
        raise ValueError(f"processes={many} need rollouts that our own engines sample; leave out what has TRL sample")
    if run.trl.get("use_adaptive_entropy"):
        raise ValueError(f"trl.use_adaptive_entropy counts in one process alone; leave it or processes={many} out")
    if own := next((section for _, section in sections(run) if isinstance(section, OwnLeaf)), None):
        raise ValueError(f"processes={many} do not run code of your own ({own.kind}) yet; leave processes out")


def mean_of_a_micro_batch(train: Any) -> str:
    """Returns which option makes a loss the mean of what stands in one backward pass; empty where none does."""
    if getattr(train, "loss", "") == "bnpo":
        return "loss=bnpo"
    if getattr(train, "top_entropy_quantile", 1) < 1:
        return f"top_entropy_quantile={train.top_entropy_quantile:g}"
    return f"entropy_bonus={train.entropy_bonus:g}" if train.has_entropy_bonus else ""
