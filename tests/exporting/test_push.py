"""`tinyreason push` sends what the dry run lists, private, with the token of the environment, and no secret."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.exporting.conftest import copied, typed
from tinyreason.config.run_config import RunConfig
from tinyreason.errors import ConfigError
from tinyreason.exporting.push import push, staged
from tinyreason.inference.model_reference import read_remembered

TOKEN = "hf_" + 30 * "x"


class FakeApi:
    """Takes what is sent, as the hub would."""

    def __init__(self, is_private=True, refuses=""):
        self.is_private, self.refuses, self.made, self.files = is_private, refuses, {}, {}

    def create_repo(self, repo_id, **how):
        if self.refuses:
            raise OSError(self.refuses)
        self.made = {"repo_id": repo_id} | how

    def repo_info(self, repo_id, **how):
        return SimpleNamespace(private=self.is_private)

    def upload_folder(self, repo_id, folder_path, **how):
        files = (file for file in Path(folder_path).rglob("*") if file.is_file())
        self.files = {file.relative_to(folder_path).as_posix(): file.read_bytes() for file in files}


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def test_what_is_sent_is_private_names_no_path_and_can_be_loaded(run_folder, token):
    api = FakeApi()
    with staged(str(run_folder)) as folder:
        assert push(folder, "ann/adapter", False, api) == "https://huggingface.co/ann/adapter"
        assert isinstance(read_remembered(folder), RunConfig)
    assert (api.made["repo_id"], api.made["private"]) == ("ann/adapter", True)
    assert {"adapter_config.json", "adapter_model.safetensors", "README.md", "tinyreason.json"} <= api.files.keys()
    assert json.loads(api.files["adapter_config.json"])["base_model_name_or_path"] == "sandbox/base"
    assert "Verdict: **" in api.files["README.md"].decode()
    sent = b"".join(data for name, data in api.files.items() if not name.endswith(".safetensors"))
    assert str(run_folder.parent).encode() not in sent and TOKEN.encode() not in sent


def test_a_dry_run_lists_the_files_and_needs_no_token(run_folder, exported, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    for reference, name in ((run_folder, "adapter_model.safetensors"), (exported("merged"), "model.safetensors")):
        done = typed("push", reference, "ann/adapter", "--dry-run")
        assert done.exit_code == 0 and "would send" in done.output and "private" in done.output
        assert f"bytes  {name}" in done.output and "bytes  README.md" in done.output


def test_without_a_token_nothing_is_sent(run_folder, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    done = typed("push", run_folder, "ann/adapter")
    assert done.exit_code == 2 and "there is no HF_TOKEN in the environment" in done.output.splitlines()[-1]


def test_a_repository_that_anyone_can_read_takes_nothing_unless_asked_for(tmp_path, token):
    api = FakeApi(is_private=False)
    with pytest.raises(ConfigError, match="anyone can read it"):
        push(tmp_path, "ann/adapter", False, api)
    assert not api.files
    push(tmp_path, "ann/adapter", True, api)
    assert api.made["private"] is False


def test_what_the_hub_says_is_one_sentence_without_the_token(tmp_path, token):
    with pytest.raises(ConfigError, match=r"403 Forbidden for …; is the token") as refused:
        push(tmp_path, "ann/adapter", False, FakeApi(refuses=f"403 Forbidden for {TOKEN}\nmore"))
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"), [(f"token: {TOKEN}", "looks like a secret"), (f"{Path.cwd()}/x", "a path of this machine")]
)
def test_a_file_with_a_secret_or_a_path_is_refused(exported, tmp_path, text, said):
    folder = copied(exported("vllm"), tmp_path / "v")
    (folder / "README.md").write_text(text)
    done = typed("push", folder, "ann/adapter", "--dry-run")
    assert done.exit_code == 2 and said in done.output.splitlines()[-1], done.output


@pytest.mark.parametrize(("reference", "hub_id"), [("sandbox", "ann/adapter"), ("nowhere", "a/b"), (None, "adapter")])
def test_what_cannot_be_sent_is_one_sentence(run_folder, reference, hub_id):
    done = typed("push", reference or run_folder, hub_id, "--dry-run")
    assert (done.exit_code, done.output.count("\n")) == (2, 1), done.output
