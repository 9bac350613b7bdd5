import pytest

from tinyreason.example import Example
from tinyreason.teachers._wire import Fault, _content, _pause
from tinyreason.teachers.openai import Openai
from tinyreason.teachers.request import Request

EXAMPLE = Example("7", ({"role": "user", "content": "¿12+30?"},), "42")
REQUEST = Request("a", EXAMPLE, EXAMPLE.messages)


@pytest.mark.parametrize("base_url", ["http://a/v1", "http://a/v1/", "http://a/v1/chat/completions"])
def test_the_address_may_be_given_with_or_without_its_end(base_url):
    assert Openai(model="m", base_url=base_url).url == "http://a/v1/chat/completions"


def test_openai_itself_has_another_word_for_the_longest_answer():
    assert Openai(model="m", max_tokens=9).body(REQUEST).keys() == {"model", "messages", "max_completion_tokens"}
    elsewhere = Openai(model="m", max_tokens=9, temperature=0.3, base_url="http://a/v1").body(REQUEST)
    assert (elsewhere["max_tokens"], elsewhere["temperature"]) == (9, 0.3)


def test_a_request_can_cost_no_more_than_a_token_a_byte_and_the_longest_answer():
    prices = {"price_per_million_input_tokens": 1e6, "price_per_million_output_tokens": 2e6}
    assert Openai(model="m", max_tokens=10, **prices).most_it_can_cost(REQUEST) == len("¿12+30?".encode()) + 16 + 20
    assert Openai(model="m").most_it_can_cost(REQUEST) == 0
    assert Openai(model="m").cost(5, 5) is None


def test_nothing_but_model_temperature_and_length_decides_an_answer():
    one = Openai(model="m", concurrency=1, base_url="http://a/v1", key_variable="A", retries=0)
    assert one.settings == Openai(model="m").settings
    assert one.settings != Openai(model="m", max_tokens=5).settings


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", 0), ("3", 3), ("0.5", 0.5), ("-1", 0), ("soon", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("nan", 0)],
)
def test_retry_after_is_a_number_or_a_date(header, seconds):
    assert _pause(header) == seconds


def test_a_completion_without_usable_token_counts_is_still_a_completion():
    for usage in ("null", "[]", '{"prompt_tokens": -1, "completion_tokens": 2}', '{"prompt_tokens": "1"}'):
        text = f'{{"choices": [{{"message": {{"content": "yes"}}}}], "usage": {usage}}}'
        assert _content(text) == ("yes", None, None)


@pytest.mark.parametrize(
    "text", ["", "<html>", "[]", "null", '{"choices": null}', '{"choices": [{"message": {"content": 3}}]}', "[" * 10**5]
)
def test_anything_else_is_a_fault_that_may_have_cost_something(text):
    with pytest.raises(Fault) as caught:
        _content(text)
    assert caught.value.again and caught.value.paid
