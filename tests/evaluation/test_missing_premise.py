"""Problems that lack a premise, and what is counted of them, by hand."""

from itertools import islice

import pytest

from tinyreason.errors import DataError
from tinyreason.evaluation.benchmarks import BENCHES, find_bench
from tinyreason.evaluation.missing_premise import missing_premise, premise_pairs
from tinyreason.evaluation.score import Completion, Score


def test_a_pair_differs_by_one_sentence_and_only_the_whole_one_has_an_answer():
    examples = list(islice(premise_pairs(), 40))
    for whole, missing in zip(examples[::2], examples[1::2], strict=True):
        sentences = [example.problem.split(". ") for example in (whole, missing)]
        (left_out,) = set(sentences[0]) - set(sentences[1])
        assert [one for one in sentences[0] if one != left_out] == sentences[1]
        assert whole.answer.isdigit() and (missing.answer, missing.grader) == ("unknown", "abstain")
    assert len({example.id for example in examples}) == 40


def test_accuracy_abstention_and_the_ratio_of_lengths():
    """One of two abstains where a premise is missing, in 300 tokens where 100 are usual."""
    examples = list(islice(premise_pairs(), 2))
    whole = [Completion("", 100, False, True, "7"), Completion("", 100, False, False, "unknown")]
    missing = [Completion("", 300, False, True, "cannot be determined"), Completion("", 300, False, False, "7")]
    found = missing_premise(Score(examples, [whole, missing]))
    assert (found.pairs, found.accuracy, found.abstained, found.abstained_whole) == (1, 0.5, 0.5, 0.5)
    assert found.length_ratio == pytest.approx(3.0)


def test_a_problem_without_its_twin_counts_in_no_pair():
    examples = list(islice(premise_pairs(), 3))
    row = [Completion("", 10, False, True, "7")]
    assert missing_premise(Score(examples, [row] * 3)).pairs == 1
    assert missing_premise(Score(examples[2:], [row])) is None


def test_the_bench_needs_no_network_and_takes_no_file(tmp_path):
    bench = find_bench("missing_premise")
    assert bench.is_offline and not bench.is_endless
    assert len(bench.load()) == 256 and len(bench.load(limit=10)) == 10
    with pytest.raises(DataError, match="leave --data out"):
        bench.load(tmp_path / "x.jsonl")
    assert BENCHES["missing_premise"].load(limit=4) == BENCHES["missing_premise"].load(limit=4)
