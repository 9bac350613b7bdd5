"""What the LM head holds while log-probabilities, or a divergence from a teacher, are computed in tiles of logits."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinyreason.planning.memory import Job

FLOAT = 4
"""Bytes of a number in float32."""
TILE_TOKENS, TILE_VOCAB = 4096, 32768
"""TRL's log-probabilities go over the LM head in tiles of this size (trl.kernels.chunked_logprob)."""
TORCH_TILES = {"forward": 3, "backward": 7.25, "entropy": 8.25}
"""Copies of a tile in float32 that TRL's plain torch path holds beside it at its worst; the GPU kernels need none."""
HEAD_TOKENS, HEAD_TILES = 256, {"forward": 3, "backward": 3, "entropy": 4}
"""Tokens whose logits `models.head_log_probs` makes at once on a CPU, and the copies of them that it holds."""
PAGE = 4096
"""Bytes of a page of main memory."""
DIVERGENCE_TILES = {"pure": 9, "mixed": 10}
"""The same of TRL's divergence beside its two tiles, as measured: of a KL divergence, of a mixture (0 < beta < 1)."""


def logit_tiles(job: "Job", direction: str) -> float:
    """Returns the bytes of the LM head's tile of logits, and on a CPU of its float32 copies."""
    if job.on_cpu and job.shares_prompts:
        completions = job.micro_rows * job.config.train.max_completion_tokens
        return min(HEAD_TOKENS, completions) * job.shape.vocab * FLOAT * HEAD_TILES[direction]
    scored = job.config.train.scored_tokens(job.prompt_tokens, job.on_cpu)
    rows, columns = min(TILE_TOKENS, job.micro_rows * scored), min(TILE_VOCAB, job.shape.vocab)
    if not job.on_cpu:
        return rows * TILE_VOCAB * job.width
    return rows * (touched_bytes(columns) + TORCH_TILES[direction] * columns * FLOAT)


def divergence_tiles(job: "Job") -> float:
    """Returns the bytes of the student's and the teacher's tile, of what is beside them, and of its states."""
    train, teacher = job.config.train, job.teacher
    scored = job.micro_rows * train.max_completion_tokens
    rows, columns = min(TILE_TOKENS, scored), min(TILE_VOCAB, job.shape.vocab)
    states = scored * teacher.shape.hidden * teacher.width
    if not job.on_cpu:
        return states + rows * TILE_VOCAB * (2 * FLOAT + job.width)  # and the gradient's, in the base's format
    copies = DIVERGENCE_TILES["mixed" if 0 < train.beta < 1 else "pure"]
    return states + rows * (2 * touched_bytes(columns) + copies * columns * FLOAT)


def touched_bytes(columns: int) -> int:
    """Returns what is touched of a row of a tile, which is as wide as TILE_VOCAB."""
    return -(-columns * FLOAT // PAGE) * PAGE
