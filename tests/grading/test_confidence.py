import pytest

from tinyreason.grading.confidence import confidence_fit, read_confidence


@pytest.mark.parametrize(
    ("text", "q"),
    [("0.8", 0.8), (" 1 ", 1), (".25", 0.25), ("1.0", 1), ("1.2", None), ("80%", None), ("", None), ("-0", None)],
)
def test_a_confidence_is_one_number_from_0_to_1(text, q):
    assert read_confidence(f"14 <confidence>{text}</confidence>") == q


def test_two_confidences_are_none():
    assert read_confidence("<confidence>0.1</confidence> <confidence>0.9</confidence>") is None
    assert read_confidence("<confidence>maybe <confidence>0.9</confidence>") is None


def test_the_fit_of_five_completions():
    texts = [f"<confidence>{q}</confidence>" for q in (0.9, 0.9, 0.2, 0.4)] + ["14"]
    fit = confidence_fit(texts, [True, False, False, True, True])
    assert fit["share"] == 0.8 and fit["mean"] == pytest.approx(0.6)
    assert fit["brier"] == pytest.approx((0.01 + 0.81 + 0.04 + 0.36) / 4)
    assert fit["ece"] == pytest.approx((0.8 + 0.2 + 0.6) / 4)  # bins of 0.9, 0.2 and 0.4
    assert fit["auroc"] == pytest.approx((0.5 + 1 + 0 + 1) / 4)  # 0.9 = 0.9, 0.9 > 0.2, 0.4 < 0.9, 0.4 > 0.2


def test_without_any_there_is_no_fit_and_of_one_kind_no_auroc():
    assert confidence_fit(["14", "<confidence>?</confidence>"], [True, False]) is None
    assert confidence_fit(["<confidence>1</confidence>"], [True])["auroc"] is None
