"""However a recipe or what is typed after it is broken, there comes a valid config or one sentence, and soon."""

from copy import deepcopy

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from mutations import examples, is_one_sentence, junk, mutated

from tinyreason.config.recipe import RECIPES, read_recipe
from tinyreason.config.run_config import RunConfig
from tinyreason.errors import TinyReasonError
from tinyreason.planning.plan import Machine, Plan, make_plan

TEXTS = {path.stem: path.read_bytes() for path in sorted(RECIPES.glob("*.yaml"))}
PIECES = tuple(
    piece.encode()
    for piece in (
        *(
            "*x",
            "&x ",
            "<<: *x",
            "!!python/name:os.system ",
            "!!binary aGk=",
            "? ",
            "- ",
            ": ",
            "{",
            "}",
            "[",
            "]",
            "\t",
        ),
        *(
            "\n",
            "'",
            '"',
            "|\n",
            "%YAML 9.9\n",
            "---\n",
            "...\n",
            "#",
            "\x00",
            "é",
            "null",
            ".nan",
            ".inf",
            "-1",
            "9" * 400,
        ),
        *(
            "tiers: {}\n",
            "data: &d {kind: *d}\n",
            "trl: &t [*t]\n",
            "kind: x\n",
            "1: 2\n",
            "train:\n",
            "  \n",
            "\r",
            "\ufeff",
        ),
    )
)


def paths_in(values, path=()):
    """Every place in a document, as a tuple of keys."""
    for key, value in (
        values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    ):
        yield (*path, key)
        yield from paths_in(value, (*path, key))


DOCUMENTS = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
PLACES = sorted({(name, place) for name, document in DOCUMENTS.items() for place in paths_in(document)}, key=str)
OPTIONS = sorted(
    {".".join(str(key) for key in place if key not in ("tiers", place[1])) for _, place in PLACES if len(place) > 2}
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("mutated") / "recipe.yaml"


def settles(file, overrides=()):
    """Reads, resolves on each tier, shows and plans; every end but a config or a sentence is a fault."""
    try:
        recipe = read_recipe(str(file))
    except TinyReasonError as error:
        assert is_one_sentence(error), error
        return
    for tier in recipe.tiers:
        try:
            config = recipe.resolve(tier, overrides)
            assert isinstance(config, RunConfig)
            config.explained().encode()
            config.model_dump_json()
            assert isinstance(make_plan(config, Machine(None, None, 2**34)), Plan)
        except TinyReasonError as error:
            assert is_one_sentence(error), error


@examples(80, 4000)
@given(st.sampled_from(sorted(TEXTS)).flatmap(lambda name: mutated(TEXTS[name], PIECES)))
def test_a_recipe_with_broken_bytes(file, content):
    file.write_bytes(content)
    settles(file)


@examples(60, 4000)
@given(
    st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(["put", "drop", "rename", "add"]), junk),
        min_size=1,
        max_size=4,
    )
)
def test_a_recipe_with_junk_in_its_places(file, changes):
    name = changes[0][0][0]
    document = deepcopy(DOCUMENTS[name])
    for (of, place), how, value in changes:
        if of == name:
            put(document, place, how, value)
    file.write_text(yaml.safe_dump(document, allow_unicode=False), encoding="utf-8")
    settles(file)


def put(document, place, how, value):
    for key in place[:-1]:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            return
    last = place[-1]
    if isinstance(document, list) and isinstance(last, int):
        document[last : last + 1] = [value] if how == "put" else []
    elif isinstance(document, dict):
        if how in ("drop", "rename"):
            old = document.pop(last, None)
            if how == "rename":
                document[f"{last}s"] = old
        else:
            document["nothing" if how == "add" else last] = value


typed = st.one_of(
    junk.map(lambda value: yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n...\n").strip()),
    st.text(alphabet="[]{}:,&*!|>'\"%@`#-=.0123456789abx_ \n\t\x00é", max_size=16),
    st.sampled_from(
        ["[", "{a: *a}", "&a [*a]", "[" * 2000, "9" * 4000, "9" * 5000, "1e400", "*x", "!!set {1}", "? [a]"]
    ),
)


@examples(60, 2000)
@given(
    st.sampled_from(sorted(TEXTS)),
    st.lists(
        st.builds("{}={}".format, st.sampled_from(OPTIONS) | st.text(max_size=8), typed) | st.text(max_size=12),
        max_size=4,
    ),
)
def test_whatever_is_typed_after_the_name(file, name, overrides):
    file.write_bytes(TEXTS[name])
    settles(file, tuple(overrides))


@pytest.mark.parametrize(
    "bomb",
    [
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
        + "trl: {x: *i}\ntiers: {sandbox: {}}\n",
        "trl: &t {x: *t}\ntiers: {sandbox: {}}\n",
        "tiers: {sandbox: {trl: {x: &t [*t]}}}\n",
        "about: " + "[" * 60 + "]" * 60 + "\ntiers: {sandbox: {}}\n",
        "about: x\n" * 30_000,
        "[" * 100_000,
    ],
    ids=[
        "aliases that multiply",
        "a section in itself",
        "a list in itself",
        "sixty deep",
        "thirty thousand lines",
        "brackets",
    ],
)
def test_a_yaml_bomb_is_answered_with_a_sentence(file, bomb):
    file.write_text(bomb)
    with pytest.raises(TinyReasonError) as caught:
        read_recipe(str(file)).resolve("sandbox")
    assert is_one_sentence(caught.value)
