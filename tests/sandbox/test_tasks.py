from itertools import islice
from operator import add, sub

import pytest

from tinyreason.sandbox import tasks


def take(family, split, seed=0, count=500):
    return list(islice(tasks.generate(family, split, seed), count))


@pytest.mark.parametrize("family", tasks.FAMILIES)
def test_the_steps_work_out_to_the_answer_and_stay_between_1_and_99(family):
    for problem in take(family, "train"):
        for step in problem.steps:
            assert step.result == {"+": add, "-": sub}[step.operation](step.left, step.right)
            assert 0 < step.result <= tasks.LARGEST_TOTAL
        assert problem.answer == problem.steps[-1].result


@pytest.mark.parametrize("family", tasks.FAMILIES)
def test_every_number_of_the_steps_that_is_given_is_in_the_text(family):
    for problem in take(family, "test"):
        given = {problem.steps[0].left, problem.steps[0].right}
        assert all(str(number) in problem.text for number in given)


@pytest.mark.parametrize("family", tasks.FAMILIES)
def test_the_splits_share_no_calculation_whatever_the_seed(family):
    seen = {s: {p.steps for seed in (0, 1) for p in take(family, s, seed)} for s in tasks.SPLITS}
    train, validation, test = seen["train"], seen["validation"], seen["test"]
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_the_same_seed_gives_the_same_problems_and_another_gives_others():
    assert take("chain", "train", seed=3, count=20) == take("chain", "train", seed=3, count=20)
    assert take("chain", "train", seed=3, count=20) != take("chain", "train", seed=4, count=20)


def test_the_harder_family_takes_more_steps():
    assert {len(p.steps) for p in take("chain", "train")} == {2, 3}
    assert {len(p.steps) for p in take("long_chain", "train")} == {4, 5}
