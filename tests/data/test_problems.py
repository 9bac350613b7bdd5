import pytest
from pydantic import ValidationError

from tinyreason.data.problems import Problems
from tinyreason.errors import DataError

PUBLISHED = {  # file: how many problems have an answer
    "gsm8k_train.jsonl": 7473,
    "gsm8k_test.jsonl": 1319,
    "math500.jsonl": 500,
    "aime24.jsonl": 30,
    "aime25.jsonl": 30,
    "amc23.jsonl": 40,
    "minerva_math.jsonl": 272,
    "olympiadbench.jsonl": 675,
    "dsr_sub.parquet": 1208,
    "one_shot_pi1_r128.parquet": 128,
}


@pytest.fixture
def file(jsonl):
    return jsonl(*({"problem": f"{n}?", "answer": "" if n == 1 else str(n)} for n in range(5)))


def test_a_file_gives_all_its_problems_and_says_which_it_leaves_out(file, capsys):
    assert [example.answer for example in Problems(file=file).load()] == ["0", "2", "3", "4"]
    assert capsys.readouterr().err == "rows.jsonl: left out 1 without an answer (id 1)\n"


def test_a_size_takes_the_first_ones_and_says_nothing_of_the_rest(file, capsys):
    assert [example.id for example in Problems(file=file, size=1).load()] == ["0"]
    assert capsys.readouterr().err == ""


def test_more_than_there_are_is_refused_with_the_count(file):
    with pytest.raises(DataError, match=r"rows\.jsonl has 4 problems with an answer, not 5,000; lower data\.size"):
        Problems(file=file, size=5000).load()


def test_a_file_without_any_answer_is_refused(jsonl):
    with pytest.raises(DataError, match=r"rows\.jsonl has no problem with an answer"):
        Problems(file=jsonl({"problem": "?", "answer": ""})).load()


def test_a_size_below_one_is_refused():
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Problems(name="sandbox", size=0)


def test_the_sandbox_gives_two_thousand_unless_told_otherwise():
    assert len(Problems(name="sandbox").load()) == 2000
    assert len(Problems(name="sandbox:compare", size=7).load()) == 7


def test_the_pool_is_described_in_a_few_words(file):
    assert Problems(name="sandbox").describe() == "2,000 problems of the sandbox (chain)"
    assert Problems(file=file).describe() == "all problems of rows.jsonl"
    assert (
        Problems(name="openai/gsm8k", subset="main", size=1000).describe() == "the first 1,000 problems of openai/gsm8k"
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_file_loads_with_nothing_but_its_name(published, name):
    examples = Problems(file=published(name)).load()
    assert len(examples) == PUBLISHED[name]
    assert len({example.id for example in examples}) == len(examples)
    assert all(example.problem.strip() and example.answer.strip() for example in examples)


@pytest.mark.parametrize(
    ("name", "id", "start", "end"),
    [
        ("gsm8k_train.jsonl", "0", "Natalia sold clips to 48", "#### 72"),
        (
            "math500.jsonl",
            "test/precalculus/807.json",
            "Convert the point $(0,3)$",
            "\\left( 3, \\frac{\\pi}{2} \\right)",
        ),
        ("aime24.jsonl", "60", "Every morning Aya goes", "204"),
        ("aime25.jsonl", "0", "Find the sum of all integer bases", "70"),
        ("amc23.jsonl", "0", "Cities $A$ and $B$ are $45$ miles apart", "27.0"),
        ("olympiadbench.jsonl", "1610", "Given a positive integer $n$", "$\\frac{1}{2 n+2}$"),
        ("dsr_sub.parquet", "0", "Find the probability that a monkey", "\\frac{3}{7}"),
    ],
)
def test_a_published_file_gives_the_problem_asked_for_with_its_answer(published, name, id, start, end):
    [example] = [example for example in Problems(file=published(name)).load() if example.id == id]
    assert example.problem.startswith(start)
    assert example.answer.endswith(end)


def test_minerva_answers_hold_the_box_that_is_graded(published):
    assert all("\\boxed" in example.answer for example in Problems(file=published("minerva_math.jsonl")).load())
