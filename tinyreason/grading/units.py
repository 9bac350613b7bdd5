"""Reads the unit behind or before a number, and tells whether two units measure the same and by what factor."""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit: what it measures, and how many of that quantity's own unit it is."""

    measures: str
    factor: Fraction = Fraction(1)


_SIZES = {
    "length": {"m": 1, "nm": "1e-9", "µm": "1e-6", "mm": "1e-3", "cm": "1e-2", "dm": "0.1", "km": 1000,
               "in": "0.0254", "ft": "0.3048", "yd": "0.9144", "mi": "1609.344"},
    "mass": {"g": 1, "mg": "1e-3", "kg": 1000, "lb": "453.59237", "oz": "28.349523125", "tonne": 1000000},
    "time": {"s": 1, "ms": "1e-3", "min": 60, "h": 3600, "day": 86400, "week": 604800},
    "volume": {"l": 1, "ml": "1e-3", "cl": "1e-2", "dl": "0.1"},
    "dollars": {"$": 1, "cent": "0.01"},
    "energy": {"J": 1, "kJ": 1000, "MJ": 1000000, "mJ": "1e-3"},
    "power": {"W": 1, "kW": 1000, "MW": 1000000, "mW": "1e-3"},
    "force": {"N": 1, "kN": 1000},
    "frequency": {"Hz": 1, "kHz": 1000, "MHz": 1000000, "GHz": 1000000000},
    "voltage": {"V": 1, "kV": 1000, "mV": "1e-3"},
    "pressure": {"Pa": 1, "kPa": 1000},
}  # fmt: skip
UNITS = {name: Unit(quantity, Fraction(factor)) for quantity, sizes in _SIZES.items() for name, factor in sizes.items()}
ALONE = ("th", "€", "£", "¥", "°", "°C", "°F", "%", "year", "month", "radian", "eV", "K", "A", "C", "mol", "Ω", "u")
UNITS |= {name: Unit(name) for name in ALONE}

_WORDS = {
    "m": "meter metre", "cm": "centimeter centimetre", "mm": "millimeter millimetre", "km": "kilometer kilometre",
    "in": "inch inche", "ft": "foot feet", "yd": "yard", "mi": "mile", "g": "gram gramme gm", "kg": "kilogram kilo",
    "mg": "milligram", "lb": "pound", "oz": "ounce", "s": "second sec", "ms": "millisecond", "min": "minute",
    "h": "hour hr", "day": "day d", "week": "week wk", "year": "year yr", "l": "liter litre L", "ml": "milliliter mL",
    "$": "dollar usd USD buck US$", "cent": "cent ¢", "€": "euro eur EUR", "£": "gbp GBP", "¥": "yen yuan JPY",
    "th": "st nd rd", "°": "degree deg", "%": "percent", "radian": "radian rad", "J": "joule", "W": "watt",
    "N": "newton", "V": "volt",
    "Pa": "pascal", "Hz": "hertz", "K": "kelvin", "°C": "celsius", "µm": "μm um micrometer micron",
}  # fmt: skip
_ALIASES = {word: name for name, words in _WORDS.items() for word in words.split()}

_PIECE = re.compile(r"(square|cubic|sq\.?|cu\.?)?\s*([^\d^*/\s]+?)\s*(?:\^?\s*\{?\s*(-?\d)\s*\}?)?")
_PREFIX = re.compile(r"(US\$|[$€£¥])\s*(?=[-+.\d\\(])|(?<=^-)([$€£¥])|(?<=^\+)([$€£¥])")
_SUFFIX = re.compile(
    r"(?<=[\d.)}!])(\s*)(?![eE][-+]?\d)((?:°\s?[CF]?(?![A-Za-z])|[%$€£¥¢]|[A-Za-zµμΩ][A-Za-zµμΩ²°%.]*)(?:\^?\{?-?\d\}?)?"
    r"(?:\s?(?:[/*·]\s?|(?<=\s))[A-Za-zµμΩ²°%.]+(?:\^?\{?-?\d\}?)?)*)$"
)
LONGEST_UNIT = 60
_COUNTED = re.compile(r"[A-Za-z]{3,}(?: [A-Za-z]+)*")
_NO_UNIT = re.compile(r"(?:sin|cos|tan|log|ln|exp|mod|choose|and|or|plus|minus|times|pi)\b.*")


@lru_cache(maxsize=4096)
def split_unit(text: str, is_wanted: bool = False) -> tuple[str, str]:
    """Returns (the number, its unit or nothing) of a text in plain notation.

    `5x` has no unit, and `5m` only where one is wanted: it may be a variable.
    """
    before = _PREFIX.search(text) if text[:4].strip("-+US")[:1] in ("$", "€", "£", "¥") else None
    if before:
        sign = before[1] or before[2] or before[3]
        number = (text[: before.start()] + text[before.end() :]).strip()
        again, behind = split_unit(number, is_wanted)
        return (again, behind or sign)
    behind = _SUFFIX.search(text, max(0, len(text) - LONGEST_UNIT))
    if not behind or _NO_UNIT.fullmatch(behind[2]):
        return text, ""
    space, unit = behind[1], behind[2].strip()
    is_known = "^" in read_unit(unit).measures
    if is_known and (len(unit) > 1 or space or is_wanted or not unit.isalpha()):
        return text[: behind.start()].strip(), unit
    return (text[: behind.start()].strip(), unit) if space and _COUNTED.fullmatch(unit) else (text, "")


@lru_cache(maxsize=4096)
def read_unit(text: str) -> Unit:
    """Returns what a unit measures; a word that is not known measures itself."""
    above, *below = re.split(r"/|\bper\b", text)
    powers: dict[str, int] = {}
    factor = Fraction(1)
    for sign, part in ((1, above), *((-1, part) for part in below)):
        for piece in re.split(r"[*·]|(?<!square)(?<!cubic)(?<!sq)(?<!sq\.)(?<!cu\.)\s+", part.strip()):
            found = _PIECE.fullmatch(piece.strip())
            known = found and _known(found[2])
            if not known:
                return Unit(_folded(text))
            times = sign * int(found[3] or {"s": 2, "c": 3}.get((found[1] or " ")[0], 1))
            powers[known.measures] = powers.get(known.measures, 0) + times
            factor *= known.factor**times
    return Unit(" ".join(f"{name}^{power}" for name, power in sorted(powers.items()) if power), factor)


def _known(name: str) -> Unit | None:
    name = name.strip(" .{}")
    for form in (name, name.lower(), name.lower().removesuffix("s")):
        if form in UNITS or form in _ALIASES:
            return UNITS[_ALIASES.get(form, form)]
    return None


def _folded(text: str) -> str:
    """Returns the first word of a unit that is not known, in the singular: `apples in total` are apples."""
    words = text.lower().split()
    return words[0].strip(".,").removesuffix("s") if words else ""
