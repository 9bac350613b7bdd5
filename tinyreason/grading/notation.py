"""Writes what means the same the same way: digits and fractions of any script, LaTeX that changes only the look."""

import re
import unicodedata
from functools import lru_cache

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_SIGNS = str.maketrans(
    {
        "−": "-", "–": "-", "‐": "-", "‑": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": r"\div ",
        "≈": r"\approx ", "≤": r"\le ", "≥": r"\ge ", "±": r"\pm ", "∞": r"\infty ", "π": r"\pi ", "∪": r"\cup ",
        "°": r"^\circ ", "⁄": "/", "∕": "/", "٫": ".", "٬": ",", "’": "'", "‘": "'", "“": '"', "”": '"', "。": ".",
        "、": ",", "（": "(", "）": ")", "：": ":", "，": ",",
    }
)  # fmt: skip
_ROOT = re.compile(r"√\s*(?:\(([^()]*)\)|(\d+(?:\.\d+)?|[a-z]))")
_VULGAR = re.compile(r"(\d?)\s*([¼-¾⅐-⅞↉])")
_POWER = re.compile(r"[⁰¹²³⁴-⁹⁺⁻ⁿ]+")

_LOOKS = re.compile(
    r"\\(?:left|right|displaystyle|textstyle|bigl?|bigr|Bigl?|Bigr|quad|qquad|rm|bf|it)(?![A-Za-z])|\\[,!;: ]|~"
)
_GROUPED = re.compile(r"(?<=\d)(?:\{,\}|,\\!)\s*(?=\d{3})")
_THIN = r"(?:\{?\\[,:;!]\}?|[\u00a0\u2008\u2009\u202f])"
_THINLY_GROUPED = re.compile(rf"(?<![\d.])[1-9]\d{{0,2}}(?:{_THIN}\d{{3}})+(?!\d)")
_SPACED_GROUPS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?: \d{3})+(?!\d)")
_MIXED = re.compile(r"\d (?=\d+\s*/\s*\d)")
_APART = re.compile(r"\d\.?\s+\.?\d")
_STYLED = re.compile(
    r"\\(?:text|mbox|hbox|textbf|textit|textrm|texttt|mathrm|mathbf|mathit|mathsf|mathtt|operatorname|emph)"
    r"\s*\{([^{}]*)\}"
)
_FRACTION = re.compile(r"\\[dtc]?frac(?![A-Za-z])\s*")
_ARGUMENT = re.compile(r"\s*([0-9A-Za-z])")
_CIRCLE = re.compile(r"\s*\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))|\s*\\(?:degree|degrees)(?![A-Za-z])")
_CARET = re.compile(r"\s*\^\s*")
_OPERATORS = ((re.compile(r"\\(?:times|cdot|ast)(?![A-Za-z])"), "*"), (re.compile(r"\\div(?![A-Za-z])"), "÷"))
_WRAPPERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("__", "__"), ("`", "`"),
             ('"', '"'), ("“", "”"))  # fmt: skip


@lru_cache(maxsize=4096)
def ascii_notation(text: str) -> str:
    """Returns the text with digits, fractions, powers and signs of any script in the notation of LaTeX."""
    if text.isascii():
        return text
    text = _VULGAR.sub(_vulgar, text)
    text = _POWER.sub(lambda found: "^{" + found[0].translate(_SUPERSCRIPTS) + "}", text)
    text = _ROOT.sub(lambda found: rf"\sqrt{{{found[1] or found[2]}}}", text)
    text = unicodedata.normalize("NFKC", text.translate(_SIGNS)).translate(_SIGNS)
    return "".join(str(unicodedata.digit(one, one)) if one.isdigit() else one for one in text)


@lru_cache(maxsize=4096)
def plain_notation(text: str) -> str:
    """Returns the text without what only changes its look: `\\left`, `\\text{…}`, thin spaces, dollar signs around."""
    text = _THINLY_GROUPED.sub(lambda found: re.sub(_THIN, "", found[0]), text)  # before its spaces are like any other
    text = bare(ascii_notation(text).replace(r"\$", "¤").replace(r"\%", "%"))
    text = _LOOKS.sub(" ", _GROUPED.sub("", text))
    for _ in range(4):
        styled = _STYLED.sub(r" \1 ", text)
        if styled == text:
            break
        text = styled
    text = _CIRCLE.sub("°", _fractions(text))
    for pattern, sign in _OPERATORS:
        text = pattern.sub(sign, text)
    return bare(_CARET.sub("^", " ".join(text.split()))).replace("¤", "$")


def bare(text: str) -> str:
    """Strips the space, full stop and quotes, dollar signs or stars around a text, and a `\\` at its end."""
    before = None
    while before != text:
        before, text = text, text.strip().rstrip(".\\").strip()
        for opening, closing in _WRAPPERS:
            inside = text[len(opening) : len(text) - len(closing)]
            if len(inside) > 0 and text.startswith(opening) and text.endswith(closing) and opening[-1] not in inside:
                text = inside
                break
    return text


def has_digits_apart(text: str) -> bool:
    """Returns whether spaces stand between digits, as in `1 2`, which is not 12; `12 000` and `3 1/2` are numbers."""
    return _APART.search(_MIXED.sub("", _SPACED_GROUPS.sub("0", plain_notation(text)))) is not None


def compact(text: str) -> str:
    """Returns the text in plain notation without any space or brace, to look for one text in another."""
    return re.sub(r"[\s{}$]", "", plain_notation(text))


def _vulgar(found: re.Match) -> str:
    above, _, below = unicodedata.normalize("NFKC", found[2]).partition("⁄")
    return rf"{found[1]}\frac{{{above}}}{{{below}}}"


def _fractions(text: str) -> str:
    """Gives both arguments of each fraction their braces: `\\frac12`, `\\frac{270}7`."""
    pieces = _FRACTION.split(text)
    done = pieces[0]
    for piece in pieces[1:]:
        above, rest = _argument(piece)
        below, rest = _argument(rest)
        done += rf"\frac{above}{below}{rest}"
    return done


def _argument(text: str) -> tuple[str, str]:
    """Returns (the argument with its braces, the rest); as it stands where it is nested or a command."""
    found = _ARGUMENT.match(text)
    if found:
        return f"{{{found[1]}}}", text[found.end() :]
    text = text.lstrip()
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if depth <= 0:
            return (text[: place + 1], text[place + 1 :]) if sign == "}" else ("", text)
    return "", text
