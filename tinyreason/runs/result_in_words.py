"""Parts of a run's result as a person reads them."""

from tinyreason.runs.result import MUCH_POINTS, TemplateCheck


def expected_in_words(expected: dict[str, float]) -> str:
    """Writes what a tier promises as a person reads it."""
    words = {
        "accuracy": "accuracy at least {:g}",
        "tokens_cut": "at least {:.0%} fewer tokens",
        "gain_points": "the gain's interval above {:g} points",
        "minutes": "at most {:g} minutes",
    }
    return ", ".join(words.get(name, f"{name} {{}}").format(value) for name, value in expected.items())


def template_check_in_words(check: TemplateCheck) -> str:
    """Writes what asking the baseline in other ways came to."""
    if check.warning:
        return check.warning
    if not check.others:
        return "the base could not be asked in other ways"
    others = (f"template {way.template}, prompt {way.prompt} {way.accuracy:.0%}" for way in check.others)
    ways = "; ".join((f"as asked {check.asked:.0%}", *others))
    if check.excludes_much:
        return f"the base does no better in other ways ({check.problems} problems, {ways})"
    return (
        f"{check.problems} problems are too few to tell whether the base does {MUCH_POINTS:.0f} points better in other "
        f"ways ({ways})"
    )
