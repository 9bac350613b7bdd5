"""CheckpointManager are whole or not there, the last whole one counts, and there are never more than asked for."""

import json
import time
from pathlib import Path

import pytest
import torch
from full_disk import room_for

import tinyreason
from tinyreason.errors import FolderError
from tinyreason.runs import file_systems
from tinyreason.runs.checkpoint import (
    MOST_OF_THE_TIME,
    STATE,
    CheckpointManager,
    load_trained,
    roll_back,
    save_trained,
    write_kept,
)
from tinyreason.runs.file_systems import uploading_file_system
from tinyreason.runs.folder import RunFolder


@pytest.fixture
def checkpoints(tmp_path):
    return CheckpointManager(RunFolder(tmp_path / "run"), every_steps=1, keep=3, last_step=100)


def take_step(checkpoints: CheckpointManager, step: int, size: int = 10) -> None:
    """What a trainer does: a line in each file, then a checkpoint."""
    for name in ("metrics.jsonl", "rollouts.jsonl"):
        checkpoints.folder.append(name, [{"step": step}])

    def write(folder: Path) -> dict:
        (folder / "weights").write_bytes(bytes([step]) * size)
        return {"counter": step}

    checkpoints.save(step, write)


def names(checkpoints: CheckpointManager) -> list[str]:
    return sorted(path.name for path in checkpoints.folder.checkpoints.iterdir())


def steps(checkpoints: CheckpointManager, name: str = "metrics.jsonl") -> list[int]:
    return [row["step"] for row in checkpoints.folder.read_rows(name)]


def test_the_last_few_are_kept(checkpoints):
    for step in range(1, 6):
        take_step(checkpoints, step)
    assert names(checkpoints) == ["step-000003", "step-000004", "step-000005"]
    last = roll_back(checkpoints.folder)
    assert (last.step, last.state["trainer"]) == (5, {"counter": 5})
    assert (last.path / "weights").read_bytes() == bytes([5]) * 10


def test_all_are_kept_where_that_is_asked_for(checkpoints):
    checkpoints.keep = None
    for step in range(1, 6):
        take_step(checkpoints, step)
    assert len(names(checkpoints)) == 5


def truncated(path: Path) -> None:
    (path / "weights").write_bytes((path / "weights").read_bytes()[:-1])


def changed(path: Path) -> None:
    (path / "weights").write_bytes(b"x" * 10)


def lost_a_file(path: Path) -> None:
    (path / "weights").unlink()


def lost_its_state(path: Path) -> None:
    (path / STATE).write_text('{"step": 3, "files"')


@pytest.mark.parametrize("tear", [truncated, changed, lost_a_file, lost_its_state])
def test_a_torn_one_is_passed_over_for_the_one_before(checkpoints, tear):
    for step in (1, 2, 3):
        take_step(checkpoints, step)
    tear(checkpoints.folder.checkpoints / "step-000003")
    assert roll_back(checkpoints.folder).step == 2
    assert names(checkpoints) == ["step-000001", "step-000002"]
    assert steps(checkpoints) == steps(checkpoints, "rollouts.jsonl") == [1, 2]


def test_lines_that_no_checkpoint_knows_of_are_taken_back(checkpoints):
    take_step(checkpoints, 1)
    checkpoints.folder.append("metrics.jsonl", [{"step": 2}])
    with open(checkpoints.folder.path / "rollouts.jsonl", "a") as file:
        file.write('{"step": 2, "comple')
    (checkpoints.folder.checkpoints / ".step-000002.part").mkdir()
    assert roll_back(checkpoints.folder).step == 1
    assert steps(checkpoints) == steps(checkpoints, "rollouts.jsonl") == [1]
    assert names(checkpoints) == ["step-000001"]


def test_a_checkpoint_whose_lines_are_lost_does_not_count(checkpoints):
    take_step(checkpoints, 1)
    take_step(checkpoints, 2)
    (checkpoints.folder.path / "rollouts.jsonl").write_text('{"step": 1}\n')
    assert roll_back(checkpoints.folder).step == 1


def test_without_any_the_run_begins_anew(checkpoints):
    checkpoints.folder.append("metrics.jsonl", [{"step": 1}])
    assert roll_back(checkpoints.folder) is None
    assert steps(checkpoints) == []


def test_a_full_disk_is_one_sentence_and_the_last_checkpoint_is_whole(checkpoints):
    take_step(checkpoints, 1)
    with room_for(5_000), pytest.raises(FolderError, match="step 2") as caught:
        take_step(checkpoints, 2, size=50_000)
    assert "resume from there" in str(caught.value) and "\n" not in str(caught.value)
    assert names(checkpoints) == ["step-000001"]
    assert roll_back(checkpoints.folder).step == 1


def test_a_full_disk_is_one_sentence_from_torch_and_safetensors_too(checkpoints, sandbox):
    def write_with_torch(folder: Path) -> dict:
        torch.save(torch.zeros(50_000), folder / "optimizer.pt")
        return {}

    model, _ = sandbox
    for write in (write_with_torch, lambda folder: save_trained(model, folder / "trained.safetensors") or {}):
        with room_for(5_000), pytest.raises(FolderError, match="step 1"):
            checkpoints.save(1, write)
        assert names(checkpoints) == []


def test_a_folder_that_is_gone_is_one_sentence(checkpoints):
    take_step(checkpoints, 1)
    checkpoints.folder.path.rename(checkpoints.folder.path.with_name("elsewhere"))
    with pytest.raises(FolderError, match=r"cannot write metrics.jsonl"):
        take_step(checkpoints, 2)


def test_writing_takes_no_more_than_its_share_of_the_time(tmp_path):
    checkpoints = CheckpointManager(RunFolder(tmp_path / "run"), every_steps=None, keep=1, last_step=9)
    assert checkpoints.is_due(1), "nothing is known of the cost yet"
    checkpoints.spent_s = checkpoints.slowest_s = 1.0
    assert not checkpoints.is_due(2)
    assert checkpoints.is_due(9), "the last step"
    checkpoints.began = time.monotonic() - 2.1 / MOST_OF_THE_TIME
    assert checkpoints.is_due(3)


def mounted(tmp_path, *lines):
    file = tmp_path / "mounts"
    file.write_text("\n".join(("/dev/sda / ext4 rw 0 0", *lines)) + "\n")
    return file


def test_a_folder_on_a_cloud_drive_is_known_by_its_path_or_its_mount(tmp_path):
    there = tmp_path / "my drive"
    there.mkdir()
    spaced = str(there).replace(" ", "\\040")
    for kind, words in (
        ("fuse.drive", "a fuse.drive mount"),
        ("fuse.rclone", "a fuse.rclone mount"),
        ("cifs", "a cifs mount"),
    ):
        mounts = mounted(tmp_path, f"{kind.removeprefix('fuse.')} {spaced} {kind} rw 0 0")
        assert uploading_file_system(there / "runs" / "one", mounts) == words
        assert uploading_file_system(tmp_path / "runs", mounts) is None
    for kind in ("ext4", "overlay", "fuse.fuse-overlayfs", "fuseblk"):
        assert uploading_file_system(there / "run", mounted(tmp_path, f"x {spaced} {kind} rw 0 0")) is None
    assert uploading_file_system(Path("/content/drive/MyDrive/run"), mounted(tmp_path)) == "Google Drive"
    assert uploading_file_system(Path("/home/ann/OneDrive - Home/run"), mounted(tmp_path)) == "OneDrive - Home"
    assert uploading_file_system(tmp_path / "run", tmp_path / "no such file") is None


def test_checkpoints_that_are_uploaded_are_ten_steps_apart_unless_the_recipe_says_how_often(tmp_path, monkeypatch):
    monkeypatch.setattr(file_systems, "DRIVE", tmp_path)
    folder = RunFolder(tmp_path / "MyDrive")
    on_drive = CheckpointManager(folder, every_steps=None, keep=1, last_step=36)
    due = []
    for step in range(1, 37):
        if on_drive.is_due(step):
            due.append(step)
            on_drive.save(step, lambda place: {})
            on_drive.spent_s = on_drive.slowest_s = 0
    assert due == [10, 20, 30, 36]
    assert "on Google Drive" in on_drive.explain() and "checkpoints.every_steps=" in on_drive.explain()
    asked = CheckpointManager(folder, every_steps=3, keep=1, last_step=36)
    assert [step for step in range(1, 10) if asked.is_due(step)] == [3, 6, 9]
    assert asked.explain() is None
    monkeypatch.setattr(file_systems, "DRIVE", tmp_path / "elsewhere")
    here = CheckpointManager(folder, every_steps=None, keep=1, last_step=36)
    assert here.is_due(1) and here.explain() is None


def test_a_run_on_a_drive_says_so_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(file_systems, "DRIVE", tmp_path)
    words = ("train.max_steps=2", "train.rollouts_per_step=8", "train.max_completion_tokens=8")
    fewer = ("evaluation.problems=2", "evaluation.samples=1", "validation=null")
    tinyreason.run(tinyreason.load_recipe("one_shot_rlvr", "sandbox", (*words, *fewer)), tmp_path / "run")
    assert sum("Google Drive" in line for line in capsys.readouterr().out.splitlines()) == 1
    assert [path.name for path in (tmp_path / "run" / "checkpoints").glob("step-*")] == ["step-000002"]


def test_kept_adapters_that_nobody_names_are_taken_away(checkpoints, sandbox):
    model, kept = sandbox[0], 0
    checkpoints.run_state = lambda: {"training": {"kept_step": kept}}
    for step in range(1, 8):
        if step in (2, 3, 6):
            kept = step
            write_kept(checkpoints.folder, model, step)
        take_step(checkpoints, step)
    assert [name for name in names(checkpoints) if name.startswith("kept")] == [
        "kept-000003.safetensors",
        "kept-000006.safetensors",
    ]
    assert (
        json.loads((checkpoints.folder.checkpoints / "step-000005" / STATE).read_text())["training"]["kept_step"] == 3
    )


def test_what_is_trained_comes_back_as_it_was(tmp_path, sandbox):
    model, _ = sandbox
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    save_trained(model, tmp_path / "trained")
    for parameter in model.parameters():
        parameter.data.add_(1)
    load_trained(model, tmp_path / "trained")
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    model.lm_head.weight.requires_grad_(False)
    with pytest.raises(FolderError, match="other tensors"):
        load_trained(model, tmp_path / "trained")
