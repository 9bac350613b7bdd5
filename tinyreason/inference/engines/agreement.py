"""Whether the fused engine says on this card what transformers says, tried once a model before it samples there."""

from weakref import WeakKeyDictionary

import torch

from tinyreason.inference.engines.fused import FusedEngine, decoder_of

PROMPTS = ([5, 6, 7, 8, 9], [10, 11], [12])
"""Of several lengths, so that places are padded and masked."""
PARENTS, SAID = [0, 0, 1, 2], ([20, 21, 22, 23], [24, 24, 26, 27], [28, 29, 30, 30])
"""Rows that follow them, two of them the first one; and what each says, step by step."""
MOST, MOST_HALF = 0.01, 0.1
"""Distance of the logits that is rounding, as a share of their own length: in float32, and in 16 bits."""

_found: WeakKeyDictionary = WeakKeyDictionary()


def disagreement(model) -> str | None:
    """Returns how the fused engine differs from transformers' own pass over a few tokens, or None; kept a model."""
    base = decoder_of(model)
    if base not in _found:
        _found[base] = _tried(model)
    return _found[base]


@torch.no_grad()
def _tried(model) -> str | None:
    from tinyreason.models.load import is_out_of_memory

    try:
        engine = FusedEngine(model, len(PARENTS))
        ours = [engine.prefill([list(prompt) for prompt in PROMPTS], len(PARENTS), len(SAID))]
        places = engine.arrange(PARENTS)
        for tokens in SAID:
            by_slot = [token for _, token in sorted(zip(places, tokens, strict=True))]
            ours.append(engine.step(torch.tensor(by_slot, device=engine.device))[places].clone())
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        return f"fused fails on this card ({str(error).splitlines()[0][:80]})"
    for row, parent in enumerate(PARENTS):
        ids = [*PROMPTS[parent], *(tokens[row] for tokens in SAID)]
        logits = model(input_ids=torch.tensor([ids], device=engine.device), use_cache=False).logits[0].float()
        theirs = logits[len(PROMPTS[parent]) - 1 :]
        mine = torch.stack([ours[0][parent], *(step[row] for step in ours[1:])]).float()
        distance = float((mine - theirs).norm() / theirs.norm())
        if not distance <= (MOST if engine.dtype == torch.float32 else MOST_HALF):  # nan too
            return f"fused says something else than transformers on this card (logits differ by {distance:.0%})"
    return None
