"""A checkpoint that is not as it was written is named, and never continued."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from mmrec.io import DataError
from mmrec.training.checkpoint import CheckpointStore, discard_checkpoints
from mmrec.training.sealed_files import sealed
from mmrec.training.state import TrainingState
from tests.training.tiny import (
    TinyObjective,
    equal_weights,
    history,
    tiny_metrics,
    tiny_train,
)

FILES = (
    "last-000002/state.json",
    "last-000002/weights.safetensors",
    "last-000002/optimizer.safetensors",
    "best-000002/state.json",
    "best-000002/weights.safetensors",
)
SHAPES = ("[]", "null", "{}", "1e999", "9" * 5000, '{"digest": 1, "state": []}', "[" * 100_000, "")


class EndedError(Exception):
    """What ends a training in its third epoch."""


@pytest.fixture(scope="module")
def after_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the checkpoint of a training of four epochs that ended after two."""
    folder = tmp_path_factory.mktemp("after_two")
    objective, validations = TinyObjective(), iter((1, 2))

    def validate() -> dict[str, float]:
        if next(validations, None) is None:
            raise EndedError
        return tiny_metrics(objective)

    with pytest.raises(EndedError):
        tiny_train(folder, objective, validate)
    found = {str(path.relative_to(folder / "checkpoints")) for path in files(folder)}
    assert found == set(FILES)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TinyObjective]:
    """The same training, never ended."""
    folder, objective = tmp_path_factory.mktemp("whole"), TinyObjective()
    tiny_train(folder, objective)
    return folder, objective


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "checkpoints").rglob("*") if path.is_file()]


def copied(after_two: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(after_two, folder)
    return folder


def digest_of(folder: Path) -> str:
    record = json.loads((folder / "checkpoints" / FILES[0]).read_text())
    return str(record["digest"])


def resumed(folder: Path, digest: str) -> tuple[TrainingState | None, TinyObjective]:
    objective = TinyObjective()
    optimizer = torch.optim.Adam(objective.parameters())
    state = CheckpointStore(folder / "checkpoints", digest).resume(objective, optimizer)
    return state, objective


def flips(content: bytes) -> Iterator[bytes]:
    """Some fifty copies with one bit turned over, in the header and everywhere else."""
    step = max(1, len(content) // 40)
    for place in [*range(0, 16), *range(16, len(content), step), len(content) - 1]:
        bit = 1 << (place % 8)
        yield content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_continued_nowhere(
    name: str, after_two: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    digest = digest_of(after_two)
    state, sound = resumed(after_two, digest)
    content = (after_two / "checkpoints" / name).read_bytes()
    named = 0
    for damaged in flips(content):
        folder = copied(after_two, tmp_path)
        (folder / "checkpoints" / name).write_bytes(damaged)
        caplog.clear()
        found, objective = resumed(folder, digest)
        if found is None:
            named += 1
            assert "last-000002 is damaged" in caplog.text
            assert name in caplog.text
            assert equal_weights(objective, TinyObjective()), "nothing of it was loaded"
        else:  # a space between two values: it says the same
            assert name.endswith("state.json")
            assert found == state
            assert equal_weights(objective, sound)
    assert named >= 30


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "deleted", "a folder"])
def test_after_damage_the_training_ends_with_the_same_bits(
    name: str,
    damage: str,
    after_two: Path,
    whole: tuple[Path, TinyObjective],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = copied(after_two, tmp_path)
    path = folder / "checkpoints" / name
    content = path.read_bytes()
    path.unlink()
    if damage == "a folder":
        path.mkdir()
        with pytest.raises(OSError, match=f"{name}: cannot be read .*Is a directory.* is kept"):
            tiny_train(folder, TinyObjective())
        return
    middle = len(content) // 2
    written = {
        "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "cut": content[:-9],
        "empty": b"",
    }
    if damage in written:
        path.write_bytes(written[damage])
    objective = TinyObjective()
    assert tiny_train(folder, objective).resumed_after == 0
    assert "last-000002 is damaged" in caplog.text
    kept = folder / "checkpoints.damaged"
    assert f"is kept as {kept}" in caplog.text
    assert (kept / "last-000002").is_dir()
    assert equal_weights(objective, whole[1])
    assert history(folder) == history(whole[0])
    discard_checkpoints(folder / "checkpoints")
    assert not list(folder.glob("*checkpoints*"))


@pytest.mark.parametrize("text", SHAPES)
@pytest.mark.parametrize("name", ["last-000002/state.json", "best-000002/state.json"])
def test_json_of_another_shape_is_damage(
    name: str, text: str, after_two: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copied(after_two, tmp_path)
    (folder / "checkpoints" / name).write_text(text)
    assert resumed(folder, digest_of(after_two))[0] is None
    assert f"{name}: damaged" in caplog.text


def test_a_record_of_another_kind_is_not_continued(
    after_two: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copied(after_two, tmp_path)
    path = folder / "checkpoints" / FILES[0]
    path.write_text(json.dumps(sealed({"trained": True})))
    assert resumed(folder, digest_of(after_two))[0] is None
    assert "optimizer.safetensors: missing" in caplog.text


def make_folder(path: Path) -> None:
    path.mkdir()


def make_file(path: Path) -> None:
    path.write_text("not of this training")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        (".DS_Store", make_file),
        ("last-foo", make_file),
        ("last-foo", make_folder),
        ("last-", make_folder),
        ("best-notes.txt", make_file),
        ("last-000009", make_file),
        ("notes", make_folder),
        (".last-000003.tmp", make_file),
        ("last-000003", make_file),
        ("last-000003", lambda path: path.symlink_to("last-000002")),
    ],
)
def test_what_is_no_checkpoint_does_not_keep_a_training_from_going_on(
    name: str,
    make: Callable[[Path], None],
    after_two: Path,
    whole: tuple[Path, TinyObjective],
    tmp_path: Path,
) -> None:
    folder = copied(after_two, tmp_path)
    make(folder / "checkpoints" / name)
    objective = TinyObjective()
    assert tiny_train(folder, objective).resumed_after == 2
    assert equal_weights(objective, whole[1])
    if "0000" not in name:
        assert (folder / "checkpoints" / name).exists(), "it is not ours"


def test_the_newest_whole_checkpoint_is_continued(
    after_two: Path,
    whole: tuple[Path, TinyObjective],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = copied(after_two, tmp_path)
    caplog.set_level(logging.INFO)
    (folder / "checkpoints" / "last-999999").mkdir()
    shutil.copytree(folder / "checkpoints/last-000002", folder / "checkpoints/last-1000000")
    (folder / "checkpoints/last-1000000/optimizer.safetensors").write_bytes(b"")
    objective = TinyObjective()
    assert tiny_train(folder, objective).resumed_after == 2
    assert "last-1000000 is damaged" in caplog.text
    assert "last-999999 is damaged" in caplog.text
    assert "continues after epoch 2" in caplog.text
    assert equal_weights(objective, whole[1])
    assert not list((folder / "checkpoints").glob("last-9*"))


def test_best_weights_of_another_epoch_are_not_taken(
    after_two: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copied(after_two, tmp_path)
    digest, objective = digest_of(after_two), TinyObjective(seed=3)
    store = CheckpointStore(tmp_path / "elsewhere", digest)
    store.save(TrainingState(1, 1, 0.5, []), objective, torch.optim.Adam(objective.parameters()))
    shutil.rmtree(folder / "checkpoints" / "best-000002")
    (tmp_path / "elsewhere" / "best-000001").rename(folder / "checkpoints" / "best-000002")
    assert resumed(folder, digest)[0] is None
    assert "best-000002: of another training" in caplog.text


def test_best_weights_in_the_place_of_a_checkpoint_are_not_continued(
    after_two: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copied(after_two, tmp_path)
    digest = digest_of(folder)
    shutil.rmtree(folder / "checkpoints" / "last-000002")
    shutil.copytree(folder / "checkpoints" / "best-000002", folder / "checkpoints" / "last-000002")
    state, _ = resumed(folder, digest)
    assert state is None
    assert "optimizer.safetensors: missing" in caplog.text


def test_best_weights_damaged_while_training_are_named_at_its_end(
    after_two: Path, tmp_path: Path
) -> None:
    folder = copied(after_two, tmp_path)
    digest = digest_of(after_two)
    state, objective = resumed(folder, digest)
    assert state is not None
    path = folder / "checkpoints" / "best-000002" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"best-000002/weights.*damaged.*run the stage again"):
        CheckpointStore(folder / "checkpoints", digest).load_best(state, objective)


def test_a_file_in_the_place_of_the_folder_is_named(after_two: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("")
    with pytest.raises(DataError, match=r"checkpoints: found a file, expected a folder.*move it"):
        resumed(tmp_path, digest_of(after_two))


def test_another_process_never_continues_what_the_first_one_refuses(
    after_two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(after_two, tmp_path)
    (folder / "checkpoints" / "last-999999").mkdir()
    monkeypatch.setattr("mmrec.training.checkpoint.is_first_process", lambda: False)
    with pytest.raises(ValueError, match=r"last-999999 is damaged.*the first process wrote it"):
        resumed(folder, digest_of(after_two))
    monkeypatch.undo()
    assert resumed(folder, digest_of(after_two))[0] is not None
    monkeypatch.setattr("mmrec.training.checkpoint.is_first_process", lambda: False)
    assert resumed(folder, digest_of(after_two))[0] is not None
