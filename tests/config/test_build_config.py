import pytest

from tinyreason.config.build_config import CritiqueBuildConfig, SolutionBuildConfig, read_build_config
from tinyreason.errors import ConfigError
from tinyreason.teachers import TEACHERS


def values(data=None, **teacher):
    return {"data": data or {"kind": "problems", "name": "sandbox"}, "teacher": teacher}


@pytest.mark.parametrize(
    ("teacher", "answer"),
    [
        ({"kind": "opneai"}, "there is no --teacher 'opneai'; did you mean 'openai'?"),
        ({"kind": "oracle", "max_cost": 1}, "the teacher oracle has no --max-cost; it takes no options."),
        (
            {"kind": "file", "price_per_million_input_tokens": 1, "file": "x"},
            "has no --price-in; it takes --teacher-file",
        ),
        ({"kind": "local"}, "the teacher local needs --model."),
        ({"kind": "openai", "model": "m", "base_url": "ftp://a"}, "--base-url ftp://a is no address"),
    ],
)
def test_a_mistake_is_told_in_the_options_words(teacher, answer):
    with pytest.raises(ConfigError) as caught:
        read_build_config(SolutionBuildConfig, values(**teacher))
    assert answer in str(caught.value)


def test_a_build_config_without_options_is_complete():
    config = read_build_config(CritiqueBuildConfig, values(kind="oracle"))
    assert (config.attempts, config.samples, config.filters.n, config.attempts_by) == (100, 1, None, ())


@pytest.mark.parametrize("kind", TEACHERS)
def test_every_teacher_says_why_and_how_it_can_be_gamed(kind):
    for part in ("Why: ", "How it can be gamed: ", "Example: "):
        assert part in TEACHERS[kind].__doc__
