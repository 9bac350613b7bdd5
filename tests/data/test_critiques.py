import pytest

from tinyreason.data.critiques import Critiques
from tinyreason.errors import ConfigError, DataError
from tinyreason.prompts import CRITIQUE_REQUEST, chat_messages


def test_a_built_set_is_read_as_it_was_written(jsonl):
    row = {
        "id": "a/1",
        "problem": "1+1?",
        "answer": "2",
        "prompt": "Is 3 right?",
        "completion": "No. Conclusion: wrong",
    }
    (example,) = Critiques(file=jsonl(row)).load()
    assert (example.id, example.problem, example.completion) == ("a/1", "Is 3 right?", "No. Conclusion: wrong")


def test_a_published_set_gets_our_request(jsonl):
    row = {"query": "1+1?", "response": "3", "critique": "No. Conclusion: wrong"}
    (example,) = Critiques(file=jsonl(row)).load()
    assert example.problem == CRITIQUE_REQUEST.format(problem="1+1?", attempt="3")


def test_a_set_of_inputs_and_outputs_is_read_as_it_is(jsonl):
    row = {"instruction": "Judge.", "input": "Question: 1+1? Solution: 3", "output": "No. Conclusion: wrong"}
    (example,) = Critiques(file=jsonl(row)).load()
    assert (example.problem, example.completion) == (row["input"], row["output"])


def test_a_set_of_conversations_is_read_as_it_is(jsonl):
    """As ms-swift, which trained the published models, has its rows: messages, or query and response."""
    asked, answered = "Please critique: 1+1? Solution: 3", "Critique: No. Conclusion: wrong [END]"
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    rows = ({"messages": turns}, {"messages": [{"role": "system", "content": "s"}, *turns]})
    for row in (*rows, {"query": asked, "response": answered}):
        (example,) = Critiques(file=jsonl(row)).load()
        assert (example.problem, example.completion) == (asked, answered)


def test_one_file_of_a_hub_data_set_is_read(monkeypatch):
    import datasets

    calls = []

    def load_dataset(*asked, **options):
        calls.append((asked, options))
        return datasets.Dataset.from_list([{"input": "a", "output": "b"}])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    (example,) = Critiques(name="TIGER-Lab/One-Shot-CFT-Data", hub_file="DSR-CFT-p0.jsonl").load()
    assert example.completion == "b"
    files = {"split": "train", "data_files": "DSR-CFT-p0.jsonl"}
    assert calls == [(("TIGER-Lab/One-Shot-CFT-Data", None), files)]


@pytest.mark.parametrize("prompt", ["plain", "boxed", "boxed_system"])
def test_the_request_is_put_as_it_is(jsonl, prompt):
    (example,) = Critiques(file=jsonl({"prompt": "Is 3 right?", "completion": "c"})).load()
    assert chat_messages(example, prompt) == [{"role": "user", "content": "Is 3 right?"}]


@pytest.mark.parametrize(
    ("row", "options", "named"),
    [
        ({"prompt": "p"}, {}, "row 1 has no usable completion, critique nor output"),
        ({"completion": "c"}, {}, "row 1 has no usable prompt, nor query and response"),
        ({"query": "q", "critique": "c"}, {}, "row 1 has no usable prompt, nor query and response"),
        ({"prompt": "p", "completion": "c"}, {"size": 3}, "lower data.size"),
    ],
)
def test_what_cannot_be_trained_on_is_one_sentence(jsonl, row, options, named):
    with pytest.raises(DataError) as caught:
        Critiques(file=jsonl(row), **options).load()
    assert named in str(caught.value) and "\n" not in str(caught.value)


def test_the_sandbox_has_none_lying_about():
    with pytest.raises(ConfigError, match="critiques:"):
        Critiques(name="sandbox").load()


def test_nothing_can_be_held_out_of_critiques(jsonl):
    with pytest.raises(DataError, match=r"evaluation\.data"):
        Critiques(file=jsonl({"prompt": "p", "completion": "c"})).held_out(3, "test", set())


def test_a_row_without_a_critique_is_left_out_and_counted(jsonl, capsys):
    file = jsonl({"prompt": "a", "completion": "b"}, {"prompt": "a", "completion": None})
    assert len(Critiques(file=file).load()) == 1
    assert capsys.readouterr().err == "rows.jsonl: left out 1 without a critique (id 1)\n"
    with pytest.raises(DataError, match="row 2 has no usable completion"):
        Critiques(file=file, strict=True).load()
