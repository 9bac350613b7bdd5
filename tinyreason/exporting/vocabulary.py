"""The tokenizer as a GGUF file holds it: tokens, their kinds, merges, and the name of a known pre-tokenizer."""

from dataclasses import dataclass

from tinyreason.errors import ModelError

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
"""Kinds of tokens, as llama.cpp numbers them."""
READERS_END = "<|endoftext|>"
"""Transformers' reader of GGUF adds this token, one more than the model has embeddings for, where there is none."""
MOST_PIECES = 16
"""A pre-tokenizer that splits more of the vocabulary's tokens than so many is another one."""
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
PROBES = (
    "Ann has 12 pens. Ann's brother gets 30 more, I'VE heard: how many (in all) now?",
    "Let $x^2 + 3x - 1.50 = \\frac{1}{2}$.\n\nThen x = 3,\n  so \\boxed{4}; x\t\t= 7  \n\n\n",
    " \n \n\n\t\t x=12345 + 678 != 9  <think>12+30=42\n</think>\n\\boxed{42}",
    'Größe: 3 m², 東京 2024 ~ \'tis "so" -- ```python\ndef f(x):\n    return x**2\n```',
)
"""Texts that the known pre-tokenizers split differently."""


@dataclass(frozen=True)
class Vocabulary:
    """What a GGUF file holds of a byte-level BPE tokenizer."""

    pre: str
    """Llama.cpp's name of the pre-tokenizer."""
    tokens: list[str]
    kinds: list[int]
    merges: list[str]


def read_vocabulary(tokenizer, rows: int, family: str) -> Vocabulary:
    """Returns a tokenizer as GGUF holds it, with a token for each of the `rows` that the model has embeddings for.

    Errors: `ModelError` for a tokenizer that is not byte-level BPE, or splits text as none of the known ones.
    """
    import json

    backend = tokenizer.backend_tokenizer
    said = json.loads(backend.to_str())
    if said["model"]["type"] != "BPE" or (said["decoder"] or {}).get("type") != "ByteLevel":
        raise ModelError(
            f"gguf of the {family} family needs a byte-level BPE tokenizer, and this one is "
            f"{said['model']['type']}; export merged, and convert that with llama.cpp's convert_hf_to_gguf.py."
        )
    pre, pieces = known_pre_tokenizer(backend, said, family)
    added = {token["id"]: token for token in said["added_tokens"]}
    texts = {number: text for text, number in backend.get_vocab(with_added_tokens=True).items()}
    tokens, kinds = [], []
    for number in range(rows):
        token, kind = texts.get(number, f"[PAD{number}]"), NORMAL if number in texts else UNUSED
        if number in added:
            kind = CONTROL if added[number]["special"] else USER_DEFINED
        elif number in pieces:
            token, kind = pieces[number], USER_DEFINED
        tokens.append(token)
        kinds.append(kind)
    if UNUSED in kinds and READERS_END not in tokens:
        tokens[kinds.index(UNUSED)] = READERS_END
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in said["model"]["merges"]]
    return Vocabulary(pre, tokens, kinds, merges)


def known_pre_tokenizer(backend, said: dict, family: str) -> tuple[str, dict[int, str]]:
    """Returns the pre-tokenizer of llama.cpp that splits text as this one, and the tokens that it must keep whole.

    Such a token (id → text) is one that the known pre-tokenizer would split: as a user-defined token it is matched
    before. Errors: `ModelError` where none fits.
    """
    best = None
    for pre in ("qwen2", "gpt-2", "smollm", "llama-bpe"):
        clone = with_pre_tokenizer(said, pre)
        pieces = split_tokens(backend, clone)
        if len(pieces) > MOST_PIECES or (best and len(pieces) >= len(best[1])):
            continue
        if agrees(backend, with_pieces(clone, pieces)):
            best = pre, pieces
            if not pieces:
                break
    if best is None:
        raise ModelError(
            f"gguf of the {family} family with this tokenizer cannot be made: it splits text as no pre-tokenizer that "
            f"is known here does; export merged, and convert that with llama.cpp's convert_hf_to_gguf.py."
        )
    return best


def with_pre_tokenizer(said: dict, pre: str):
    """Returns the tokenizer with one of llama.cpp's pre-tokenizers in place of its own."""
    import json

    from tokenizers import Regex, Tokenizer, pre_tokenizers

    def byte_level(use_regex: bool):
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)

    def splitting(by: str):
        return [pre_tokenizers.Split(Regex(by), behavior="isolated"), byte_level(False)]

    parts = {
        "gpt-2": lambda: [byte_level(True)],
        "smollm": lambda: [pre_tokenizers.Digits(individual_digits=True), byte_level(True)],
        "qwen2": lambda: splitting(QWEN2),
        "llama-bpe": lambda: splitting(LLAMA3),
    }
    clone = Tokenizer.from_str(json.dumps(said | {"normalizer": None, "post_processor": None}))
    clone.pre_tokenizer = pre_tokenizers.Sequence(parts[pre]())
    clone.model.ignore_merges = pre == "llama-bpe"
    return clone


def split_tokens(backend, clone) -> dict[int, str]:
    """Returns id → text of the tokens that the tokenizer keeps whole, and the clone does not."""
    every = list(backend.get_vocab(with_added_tokens=False).values())
    texts = dict(zip(every, backend.decode_batch([[number] for number in every]), strict=True))
    found = {}
    numbers = [number for number, text in texts.items() if text and "�" not in text]
    batch = [texts[number] for number in numbers]
    pairs = zip(numbers, *(one.encode_batch(batch, add_special_tokens=False) for one in (backend, clone)), strict=True)
    for number, own, other in pairs:
        if own.ids == [number] != other.ids:
            found[number] = texts[number]
    return found


def with_pieces(clone, pieces: dict[int, str]):
    """Returns the clone with these tokens matched whole, before anything is split."""
    from tokenizers import AddedToken

    clone.add_tokens([AddedToken(text, special=False, normalized=False) for text in pieces.values()])
    return clone


def agrees(backend, clone) -> bool:
    """Returns whether both make the same tokens of the probes."""
    return all(
        backend.encode(text, add_special_tokens=False).ids == clone.encode(text, add_special_tokens=False).ids
        for text in PROBES
    )
