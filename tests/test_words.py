"""The field's words, in code, messages, help, recipes and docs; each word not to use stands here with what to say."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
INSTEAD = {
    r"repl(y|ies)": "completion",
    r"judg\w+": "grade, grader",
    r"leash\w*": "KL penalty",
    r"knobs?": "option",
    r"exam(s|iner|iners)?": "evaluation, evaluator",
    r"partners?": "model reference",
    r"lifelines?|frugal\w*": "checkpoint manager, OOM retry",
    r"learner\w*": "training session",
    r"journals?": "response cache",
    r"rehears\w+": "dry run",
    r"by heart": "memorised",
    r"gamed?": "reward hacking",
    r"cut (short|off)": "truncated, interrupted",
    r"held[- ]out (problems )?(that )?choose\w*": "validation set, checkpoint selection",
    r"go(es|ing)? on|went on": "resume",
    r"tak(e|es|ing) up|taken up|took up": "restore",
    r"traps?|guards?": "caveat, regularisation",
    r"(right|wrong) (answer|completion|rollout|one|reply)s?": "correct, incorrect",
    r"(is|are|was|were) (right|wrong)": "correct, incorrect",
    r"(?<!there )(is|are) no (?!longer|more|less|other|worse|better|one|smaller|larger)[a-z]+": "is not a …",
}
"""What not to say (whole words, any case) → what to say."""
SPOKEN = ("tinyreason/sandbox/", "tinyreason/prompts.py", "tinyreason/teachers/prompts.py")
"""Files with words that models read and write, which stay as they are."""
EXEMPT = re.compile(
    r"[\"'`](replies|right|judged|tokens_right|tokens_wrong)[\"'`]"  # keys of files that others read
    r"|[\"'`]?\brehearse\b[\"'`]?"  # the earlier name of a command, which still works
    r"|Game of|right[- ](padded|hand|side)|on the right|upper right|to the right",
    re.IGNORECASE,
)


def prose_of(file: Path) -> list[tuple[int, str]]:
    """(line, text) of what a person reads in a file: all of a text, the comments, strings and names of a module."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        return list(enumerate(text.splitlines(), 1))
    kinds = (tokenize.STRING, tokenize.COMMENT, tokenize.NAME)
    return [
        (token.start[0] + number, line.replace("_", " ") if token.type == tokenize.NAME else line)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type in kinds
        for number, line in enumerate(token.string.splitlines())
    ]


FILES = sorted(
    file
    for pattern in (
        "tinyreason/**/*.py",
        "README.md",
        "CHANGELOG.md",
        "docs/*.md",
        "recipes/*.yaml",
        "notebooks/*.ipynb",
    )
    for file in ROOT.glob(pattern)
    if not file.relative_to(ROOT).as_posix().startswith(SPOKEN)
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_a_file_speaks_the_language_of_the_field(file):
    found = [
        f"{file.name}:{line}: '{match[0]}'; say {words}"
        for line, text in prose_of(file)
        for pattern, words in INSTEAD.items()
        for match in re.finditer(rf"\b(?:{pattern})\b", EXEMPT.sub("", text), re.IGNORECASE)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [
        ("the reply was judged", False),
        ("a knob of the exam", False),
        ("learnt by heart", False),
        ("it is no number", False),
        ("a correct completion, graded", True),
        ('{"replies": []}', True),
        ("there is no other way", True),
    ],
)
def test_the_list_finds_what_it_is_for(text, is_fine):
    found = [p for p in INSTEAD if re.search(rf"\b(?:{p})\b", EXEMPT.sub("", text), re.IGNORECASE)]
    assert bool(found) != is_fine
