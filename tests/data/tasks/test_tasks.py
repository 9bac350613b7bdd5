"""Every generated task: its problems grade themselves, its splits share nothing, harder levels are longer."""

import math
import random
import re
import zlib
from collections import Counter
from fractions import Fraction
from importlib.util import find_spec
from itertools import islice, pairwise
from statistics import mean

import pytest
from pydantic import ValidationError

from tinyreason.config.recipe import read_recipe
from tinyreason.data.generated import Generated
from tinyreason.data.tasks import (
    TASKS,
    countdown,
    graph_tasks,
    knights_knaves,
    random_calculation,
    sat,
    skill_pairs,
    treecut,
)
from tinyreason.data.worlds import SPLITS
from tinyreason.errors import ConfigError, DataError
from tinyreason.grading.grader import Grader
from tinyreason.grading.graders.expression import work_out
from tinyreason.prompts import chat_messages

LEVELS = {
    "countdown": ({"numbers": 3}, {"numbers": 5}),
    "graph_tasks": ({"nodes": 4}, {"nodes": 9}),
    "knights_knaves": ({"people": 2}, {"people": 5}),
    "minus_sign": ({"changes": 2}, {"changes": 5}),
    "random_calculation": ({"steps": 2}, {"steps": 12}),
    "reasoning_gym": ({"name": "chain_sum", "level": 0}, {"name": "chain_sum", "level": 4}),
    "sat": ({"variables": 4, "clauses": 4}, {"variables": 6, "clauses": 20}),
    "skill_pairs": ({"digits": 2, "parts": ["both"]}, {"digits": 5, "parts": ["both"]}),
    "story": ({"changes": 2}, {"changes": 7}),
    "treecut": ({"items": 4, "depth": 2}, {"items": 8, "depth": 6}),
}
INCORRECT = {
    "countdown": "1+1",
    "graph_tasks": "-2",
    "knights_knaves": "Ann is a knight",
    "minus_sign": "1",
    "random_calculation": "-1",
    "reasoning_gym": "x",
    "sat": "2",
    "skill_pairs": "-1",
    "story": "-1",
    "treecut": "0",
}
COUNT = 60


@pytest.fixture(scope="module")
def grader():
    with Grader(workers=1) as grader:
        yield grader


def task(kind, **options):
    return TASKS[kind](**options)


def some(kind, split="train", seed=0, count=COUNT, **options):
    has_traces = TASKS[kind].has_traces
    return list(islice(task(kind, **options).examples(split, seed, has_traces), count))


NEEDS_GYM = pytest.mark.skipif(not find_spec("reasoning_gym"), reason="reasoning-gym is not installed; an extra, tasks")


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=NEEDS_GYM) if kind == "reasoning_gym" else kind for kind in TASKS]
)
class TestEveryTask:
    def test_a_seed_gives_the_same_problems_and_another_seed_others(self, kind):
        assert some(kind) == some(kind)
        assert some(kind) != some(kind, seed=1)

    def test_ids_and_texts_are_unique_and_no_split_shares_a_problem_with_another(self, kind):
        found = {(split, seed): some(kind, split, seed) for split in SPLITS for seed in (0, 1)}
        for examples in found.values():
            assert len({one.id for one in examples}) == len({one.problem for one in examples}) == COUNT
        texts = [{one.problem for seed in (0, 1) for one in found[split, seed]} for split in SPLITS]
        assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]

    def test_the_split_is_a_hash_of_the_problem(self, kind):
        for split in SPLITS:
            for puzzle in islice(task(kind).puzzles(split), 20):
                assert {0: "test", 1: "validation"}.get(zlib.crc32(puzzle.key.encode()) % 10, "train") == split

    @pytest.mark.parametrize("mark", ["box", "answer"])
    def test_gold_and_trace_are_correct_and_another_answer_is_not(self, kind, mark, grader):
        options, examples = LEVELS[kind][1], []
        for level in LEVELS[kind]:
            examples += some(kind, count=COUNT // 2, mark=mark, **level)
        assert all(grader.check_gold(examples))
        given = task(kind, mark=mark)
        traces = [one.completion or f"<think>\nso\n</think>\n{given.marked(one.answer)}" for one in examples]
        assert all(verdict.correct for verdict in grader.grade_examples(traces, examples))
        wrong = [f"<think>so</think>\n{task(kind, mark=mark, **options).marked(INCORRECT[kind])}" for _ in examples]
        assert not any(verdict.correct for verdict in grader.grade_examples(wrong, examples))
        assert all(text.startswith("<think>\n") and text.count("</think>\n") == 1 for text in traces)
        assert all(("\\boxed{" in one.problem) == (mark == "box" and given.request != "") for one in examples)

    def test_a_harder_level_is_longer_and_its_number_is_larger(self, kind):
        easy, hard = (some(kind, **level) for level in LEVELS[kind])
        lengths = [lambda one: len(one.problem), lambda one: one.meta["level"]]
        for length in lengths + [lambda one: len(one.completion)] * TASKS[kind].has_traces:
            assert mean(map(length, easy)) < mean(map(length, hard))
        assert {one.meta["domain"] for one in easy} == {kind}

    def test_it_trains_from_a_config_and_is_held_out_by_split(self, kind):
        config = read_recipe("rlvr").resolve("cpu", (f"data={{kind: generated, task: {{kind: {kind}}}, size: 50}}",))
        examples = config.data.load()
        assert [one.id for one in examples] == [f"{kind}/train/{n}" for n in range(50)]
        held = config.data.held_out(20, "test", without=set())
        assert {one.id.split("/")[1] for one in held} == {"test"} and len(held) == 20
        assert not {one.problem for one in held} & {one.problem for one in examples}
        assert not any(one.completion for one in examples) and config.data.is_offline


def test_a_range_of_levels_has_each_of_them():
    levels = Counter(one.meta["level"] for one in some("sat", clauses=[5, 7], count=300))
    assert set(levels) == {5, 6, 7} and min(levels.values()) > 60


def test_traces_come_where_they_are_asked_for():
    source = Generated(task={"kind": "sat"}, size=10, traces=True)
    assert all(one.completion for one in source.load())
    assert "worked" in source.describe()


def test_a_level_with_too_few_problems_says_how_many_there_are():
    source = Generated(task={"kind": "random_calculation", "steps": 1, "operations": ["+"], "largest": 9}, size=2000)
    with pytest.raises(DataError, match=r"makes \d\d different problems at this level, not 2,000"):
        source.load()


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("knights_knaves", {"people": 9}, "not within 2 and 8"),
        ("knights_knaves", {"people": [4, 3]}, "not within"),
        ("sat", {"literals": 4, "variables": 3}, "cannot be different"),
        ("sat", {"literals": 2, "variables": 2, "clauses": 4}, "more than the 3 that differ"),
        ("treecut", {"items": 4, "depth": 5}, "needs as many items"),
    ],
)
def test_a_level_that_cannot_be_is_told(kind, options, said):
    with pytest.raises(ValidationError, match=said):
        task(kind, **options)


def test_a_file_beside_a_task_is_one_sentence_and_typed_it_takes_its_place(tmp_path):
    with pytest.raises(ValidationError, match="leave one of them out"):
        Generated(task={"kind": "sat"}, name="words")
    (tmp_path / "mine.yaml").write_text("extends: rlvr\ndata: {kind: generated, task: {kind: sat, clauses: 9}}\n")
    recipe = read_recipe(str(tmp_path / "mine.yaml"))
    assert recipe.resolve("cpu").data.task.clauses == (9, 9)
    assert recipe.resolve("cpu", ("data.task.clauses=[5,7]",)).data.task.clauses == (5, 7)
    assert recipe.resolve("cpu", ("data.task.kind=treecut",)).data.task == task("treecut")
    assert recipe.resolve("cpu", ("data.name=words",)).data.kind == "problems"


def test_an_answer_is_asked_for_in_one_place():
    data = "data={kind: generated, task: {kind: sat, mark: answer}}"
    with pytest.raises(ConfigError, match=r"data\.task\.mark=answer and prompt=boxed ask .* type prompt=plain"):
        read_recipe("rlvr").resolve("cpu", (data,))
    assert read_recipe("rlvr").resolve("cpu", (data, "prompt=plain")).data.task.mark == "answer"
    (asked,) = some("sat", mark="answer", count=1)
    assert chat_messages(asked, "think_answer") == list(asked.messages)
    assert chat_messages(some("sat", count=1)[0], "boxed") == list(some("sat", count=1)[0].messages)


def test_knights_and_knaves_by_hand():
    """A: "B is a knave"; B: "A and I are the same kind": A is a knight, B a knave."""
    claims = [("is", 1, False), ("same", 0, 1, True)]
    assert list(knights_knaves.fitting_roles(claims)) == [(True, False)]
    assert knights_knaves.spoken(claims[0], ("Ann", "Ben"), 0) == "Ben is a knave"
    assert knights_knaves.spoken(claims[1], ("Ann", "Ben"), 1) == "Ann and I are the same kind"
    lines = list(knights_knaves.search(("Ann", "Ben"), claims, ()))
    assert lines == [
        "Ann knight, Ben knight: Ann's claim is false, no.",
        "Ann knight, Ben knave: Ann's claim is true, Ben's claim is false, fits.",
    ]


@pytest.mark.parametrize("kind", ["and", "or", "if", "iff"])
def test_joined_claims_are_as_in_logic(kind):
    tables = {"and": [1, 0, 0, 0], "or": [1, 1, 1, 0], "if": [1, 0, 1, 1], "iff": [1, 0, 0, 1]}
    claim = (kind, ("is", 0, True), ("is", 1, True))
    roles = [(True, True), (True, False), (False, True), (False, False)]
    assert [knights_knaves.holds(claim, role) for role in roles] == [bool(one) for one in tables[kind]]


def test_every_puzzle_has_one_solution_and_it_is_the_gold():
    for puzzle in islice(task("knights_knaves", people=[2, 5]).puzzles("train"), 100):
        names, claims = puzzle.facts
        (only,) = knights_knaves.fitting_roles(claims)
        roles = [f"{name} is a {'knight' if role else 'knave'}" for name, role in zip(names, only, strict=True)]
        assert puzzle.answer == ", ".join(roles)


def test_sat_by_hand(grader):
    """`!B!C!D & A!B!D & AB!D`: 1101 satisfies, 0101 does not, 11 of the 16 do (SATURN's example)."""
    formula = [(-2, -3, -4), (1, -2, -4), (1, 2, -4)]
    assert " & ".join(map(sat.clause_in_letters, formula)) == "!B!C!D & A!B!D & AB!D"
    every = [[bool(n >> place & 1) for place in range(4)] for n in range(16)]
    good = [sat.as_bits(bits) for bits in every if all(sat.is_true(clause, bits) for clause in formula)]
    assert len(good) == 11 and "1101" in good and "0101" not in good


def test_a_trace_of_sat_mends_a_false_clause():
    formula = [(1, 2), (-1, 3), (1, -3)]
    puzzle = sat.Puzzle("", "101", 3, "", (formula, 3))
    lines, answer = task("sat").trace(puzzle, random.Random(0))
    assert lines[0] == "Most signs give 111." and answer == "111"
    assert sat.usual_signs([(-1, 2), (-1, -2)], 2) == [False, True]
    hard = islice(task("sat", variables=6, clauses=24).puzzles("train"), 40)
    assert any("is false. Change" in line for puzzle in hard for line in task("sat").trace(puzzle, random.Random(0))[0])


def test_countdown_by_hand():
    """7 * 5, and 7 was 3 + 4: the brackets stand where they are needed and nowhere else."""
    seven = countdown.Term(7, "3 + 4", "+")
    assert countdown.inside(seven, "*") == countdown.inside(seven, "-", is_second=True) == "(3 + 4)"
    assert countdown.inside(seven, "+") == countdown.inside(seven, "-") == "3 + 4"
    assert countdown.inside(countdown.Term(12, "3 * 4", "*"), "/", is_second=True) == "(3 * 4)"
    for puzzle in islice(task("countdown", numbers=[2, 6]).puzzles("train"), 300):
        given, target, _ = puzzle.facts
        assert work_out(puzzle.answer) == (Fraction(target), Counter(given))


def test_a_trace_of_countdown_goes_back_as_often_as_it_may():
    straight, winding = (some("countdown", backtracks=most) for most in (0, 3))
    assert all("not" not in one.completion for one in straight)
    misses = [one.completion.count("That is not") for one in winding]
    assert max(misses) == 3 and min(misses) == 0


def test_a_calculation_is_its_answer_and_keeps_to_its_operations():
    options = {"steps": [1, 20], "operations": ["+", "-"], "largest": 99}
    for puzzle in islice(task("random_calculation", **options).puzzles("train"), 200):
        expression = puzzle.text.removeprefix("What is ").removesuffix("?")
        value, used = work_out(expression)
        assert value == int(puzzle.answer) and sum(used.values()) == puzzle.level + 1
        assert not set(expression) & set("*/^") and 0 <= value <= 99
        assert all(0 <= int(line.split(" = ")[1]) <= 99 for line in puzzle.facts)
    assert random_calculation.result_of(3, "^", 2) == 9


def test_graphs_by_hand():
    """A path 0-1-2, node 3 alone: 2 edges from 0 to 2, none to 3; no cycle, so bipartite. A triangle has one."""
    path, triangle = (4, [(0, 1), (1, 2)]), (3, [(0, 1), (0, 2), (1, 2)])
    wanted = {"edges": 2, "degree": 1, "connected": 0, "components": 2, "cycle": 0, "bipartite": 1, "triangles": 0}
    assert {ask: graph_tasks.gold_of(ask, *path, (0, 2)) for ask in wanted} == wanted
    assert [graph_tasks.gold_of("distance", *path, (0, end)) for end in (2, 3)] == [2, -1]
    wanted = {"edges": 3, "degree": 2, "connected": 1, "components": 1, "cycle": 1, "bipartite": 0, "triangles": 1}
    assert {ask: graph_tasks.gold_of(ask, *triangle, (0, 2)) for ask in wanted} == wanted
    assert graph_tasks.layers_from({0: [1], 1: [0, 2], 2: [1], 3: []}, 0) == [[0], [1], [2]]


@pytest.mark.parametrize("ask", graph_tasks.QUESTIONS)
def test_what_a_trace_of_a_graph_works_out_is_what_networkx_says(ask):
    answers = Counter()
    for puzzle in islice(task("graph_tasks", nodes=[3, 10], asks=[ask]).puzzles("train"), 150):
        lines, answer = task("graph_tasks").trace(puzzle, random.Random(0))
        assert answer == puzzle.answer and lines[0].startswith("Neighbours. 0: ")
        answers[answer] += 1
    assert max(answers.values()) < 120


def test_skill_pairs_by_hand():
    """The divisor of 84 and 36 is 12, whose digits add up to 3 and which 1, 2, 3, 4, 6 and 12 divide."""
    lines, divisor = skill_pairs.divide_on(84, 36)
    assert (lines, divisor) == (["84 = 2 * 36 + 12.", "36 = 3 * 12 + 0.", "The divisor is 12."], 12)
    assert skill_pairs.add_digits(12) == (["1 + 2 = 3."], 3)
    assert skill_pairs.count_divisors(12) == (["1 * 12, 2 * 6, 3 * 4.", "That is 6."], 6)
    assert skill_pairs.count_divisors(49)[1] == 3
    assert skill_pairs.differ(5, 12) == (["12 - 5 = 7."], 7)


def test_both_skills_are_the_second_of_the_first_ones_answer_and_share_no_numbers_with_training():
    both = task("skill_pairs", parts=["both"])
    for puzzle in islice(both.puzzles("test"), 50):
        one, other = (int(word) for word in puzzle.text.strip("?").split() if word.isdigit())
        assert int(puzzle.answer) == sum(map(int, str(math.gcd(one, other))))
    asked = [one.text for one in islice(both.puzzles("train"), 1)]
    assert "the sum of the digits of the greatest common divisor of" in asked[0]
    given = [
        {
            tuple(sorted(re.findall(r"\d+", one.problem.partition("\n")[0])))
            for one in some("skill_pairs", split, parts=parts)
        }
        for split, parts in (("train", ["first", "second"]), ("test", ["both"]))
    ]
    assert not given[0] & given[1]


def test_treecut_by_hand():
    """ROOT-a-b, b is asked for, a's sentence is left out: nobody can tell."""
    made = list(islice(task("treecut", items=2, depth=2, unanswerable=1.0).puzzles("train"), 30))
    for puzzle in made:
        (first, second), asked, cut = puzzle.facts
        assert (asked, cut, puzzle.answer, puzzle.grader) == (1, 0, "unknown", "abstain")
        assert treecut.told_price(first, [first, second]) not in puzzle.text
        assert puzzle.text.startswith(treecut.told_price(second, [first, second]))
    assert all(puzzle.answer != "unknown" for puzzle in islice(task("treecut", unanswerable=0.0).puzzles("train"), 30))


def test_what_treecut_asks_follows_from_its_sentences_where_it_has_an_answer_and_only_there():
    for puzzle in islice(task("treecut", items=8, depth=5).puzzles("train"), 200):
        items, asked, _ = puzzle.facts
        told = {one for one, item in enumerate(items) if treecut.told_price(item, items) in puzzle.text}
        known: set[int] = set()
        for _ in items:
            linked = [(one, items[one].parent) for one in told]
            known |= {one for one, parent in linked if parent is None}
            known |= {one for pair in linked if set(pair) & known for one in pair if one is not None}
        assert (asked in known) == (puzzle.answer != "unknown")
        assert puzzle.answer in ("unknown", str(items[asked].price))


def test_a_mislabelled_story_has_its_first_number_for_an_answer():
    for one in some("story", mislabelled=True, changes=3):
        assert one.answer == re.search(r"has (\d+)", one.problem)[1]
        assert one.completion == f"<think>\n</think>\n\\boxed{{{one.answer}}}"


def test_traces_slip_in_the_share_that_is_asked_for_and_go_on_from_there(grader):
    examples = some("story", changes=[2, 5], slips=0.5, count=400)
    assert [one.answer for one in examples] == [one.answer for one in some("story", changes=[2, 5], count=400)]
    verdicts = grader.grade_examples([one.completion for one in examples], examples)
    assert 160 < sum(not verdict.correct for verdict in verdicts) < 240
    for one in examples:
        lines = re.findall(r"(\d+)([+-])(\d+)=(-?\d+)", one.completion)
        results = [int(a) + int(b) if sign == "+" else int(a) - int(b) for a, sign, b, _ in lines]
        off = [int(said) - right for (*_, said), right in zip(lines, results, strict=True)]
        assert sum(map(bool, off)) <= 1 and all(0 <= value <= 5 for value in off)
        assert all(later[0] == earlier[-1] for earlier, later in pairwise(lines))


def test_several_tasks_come_in_turn_each_a_domain_with_ids_of_its_own():
    tasks = [{"kind": "story"}, {"kind": "minus_sign"}, {"kind": "story", "changes": 6}]
    source = Generated(task=tasks, size=30)
    examples = source.load()
    assert [one.meta["domain"] for one in examples[:4]] == ["1 story", "2 minus_sign", "3 story", "1 story"]
    assert len({one.id for one in examples}) == 30 and examples[2].id == "3/story/train/0"
    assert examples[0].messages == some("story", count=1)[0].messages
    assert source.describe() == "30 problems of the generated tasks story and minus_sign"
    held = source.held_out(30, "test", without=set())
    assert not {one.problem for one in held} & {one.problem for one in examples}
    assert len({one.problem for one in held}) == 30
