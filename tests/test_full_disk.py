"""A disk that is full or read-only: one message, and nothing that is half-written.

The full disk is a real one of 64 KiB where a file system may be mounted; everywhere, a limit
of a file's size ends the writing in its midst.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

from mmrec.atomic import WriteError, in_words
from mmrec.data.fetch import fetch_images
from mmrec.data.packing import spill_file, write_image_parts
from mmrec.data.sources.source import ImageRef
from mmrec.io import write_json, write_table, write_text
from mmrec.part_writer import PartWriter
from mmrec.recommender import History, VectorRecommender
from mmrec.retrieval.index import build_index, write_index
from mmrec.training.checkpoint import CheckpointStore
from mmrec.training.finished import save_model
from mmrec.training.history import write_history
from mmrec.training.state import TrainingState
from tests.retrieval.worlds import item_table
from tests.training.tiny_run import run_data

LIMIT = 64 * 1024
NOISE = np.random.default_rng(0).standard_normal((2000, 64)).astype(np.float32)  # 512,000 bytes
SCHEMA = pa.schema([pa.field("value", pa.float32(), nullable=False)])
TABLE = pa.table({"value": NOISE.ravel()}, schema=SCHEMA)


class Large(VectorRecommender):
    """A model of the size of the noise."""

    def __init__(self) -> None:
        super().__init__(num_items=2000, max_sequence_length=1)
        self.weights = nn.Parameter(torch.from_numpy(NOISE))

    def item_table(self) -> torch.Tensor:
        """The weights."""
        return self.weights

    def encode(self, history: History) -> torch.Tensor:
        """The same for everybody."""
        return self.weights[: len(history.users)]


def write_parts(folder: Path) -> None:
    with PartWriter(folder, SCHEMA, rows_per_part=100_000) as parts:
        parts.write(TABLE)


def save_checkpoint(folder: Path) -> None:
    large = Large()
    store = CheckpointStore(folder / "checkpoints", "digest")
    store.save(TrainingState(1, 1, 0.5, []), large, torch.optim.Adam(large.parameters()))


WRITERS: dict[str, Callable[[Path], None]] = {
    "table.parquet": lambda folder: write_table(TABLE, folder / "table.parquet", SCHEMA),
    "part-00000.parquet": write_parts,
    "images/part-00000.parquet": lambda folder: write_image_parts(
        [(b"k" * 16, NOISE.tobytes())], folder / "images"
    ),
    "value.json": lambda folder: write_json(NOISE.tolist(), folder / "value.json"),
    "index.html": lambda folder: write_text("<p>" * 100_000, folder / "index.html"),
    "history.csv": lambda folder: write_history([{"loss": 0.1}] * 30_000, folder / "history.csv"),
    "items.faiss": lambda folder: write_index(
        build_index(item_table(NOISE)), folder / "items.faiss"
    ),
    "run/model.safetensors": lambda folder: save_model(
        Large(), {"trained": True}, run_data(3, [[1]]).items, folder / "run"
    ),
    "checkpoints/best-000001": save_checkpoint,
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB with one small file."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={LIMIT}", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a file system")
    try:
        (place / "kept").write_text("kept")
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may be larger than 64 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_told_and_keeps_what_it_had(name: str, disk: Path) -> None:
    with pytest.raises(WriteError) as caught:
        WRITERS[name](disk)
    told = in_words(caught.value)
    assert told.startswith(f"{disk / name}: cannot be written (No space left on device; ")
    assert " bytes free on its disk); free some space there" in told
    assert left(disk) == ["kept"]


@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_may_only_be_read_is_told(name: str, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(WriteError, match=r"cannot be written \(Read-only file system") as caught:
        WRITERS[name](disk)
    told = in_words(caught.value)
    assert told.startswith(f"{disk / name}: ")
    assert "make it writable, or take the project where you can write" in told
    assert left(disk) == ["kept"]


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_may_not_become_so_large_is_told(
    name: str, tmp_path: Path, small_files: None
) -> None:
    with pytest.raises(
        WriteError, match=r"cannot be written \(File too large; .*ulimit -f"
    ) as told:
        WRITERS[name](tmp_path)
    assert str(told.value).startswith(f"{tmp_path / name}: ")
    assert left(tmp_path) == []


def test_pictures_that_find_no_room_before_they_are_packed_are_told_with_their_folder(
    tmp_path: Path, small_files: None
) -> None:
    pictures = [ImageRef("a", 0, "a.jpg", NOISE.tobytes())]
    with pytest.raises(OSError, match="File too large") as told:
        fetch_images(pictures, tmp_path / "raw" / "images", tmp_path / "raw" / "links.parquet")
    assert in_words(told.value).startswith(f"{tmp_path}: File too large; raise the limit")
    assert left(tmp_path) == []


def test_an_error_of_reading_is_not_taken_for_one_of_the_folder(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match=r"^\[Errno 29\] Illegal seek$"),
        spill_file(tmp_path / "images"),
    ):
        raise OSError(errno.ESPIPE, os.strerror(errno.ESPIPE))


def test_how_much_was_to_be_written_is_told(tmp_path: Path, small_files: None) -> None:
    for name in ("table.parquet", "items.faiss", "run/model.safetensors"):
        with pytest.raises(WriteError, match="about 512,000 bytes to write; "):
            WRITERS[name](tmp_path)
    with pytest.raises(WriteError, match="about 300,000 bytes to write; "):
        WRITERS["index.html"](tmp_path)


def test_a_checkpoint_that_finds_no_room_leaves_the_one_before_it(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    small = nn.Linear(2, 2)
    store = CheckpointStore(tmp_path / "checkpoints", "digest")
    state = TrainingState(1, 1, 0.5, [])
    store.save(state, small, torch.optim.Adam(small.parameters()))
    request.getfixturevalue("small_files")
    large = Large()
    with pytest.raises(WriteError, match="last-000002"):
        store.save(TrainingState(2, 1, 0.5, []), large, torch.optim.Adam(large.parameters()))
    assert store.resume(small, torch.optim.Adam(small.parameters())) == state
    assert not list((tmp_path / "checkpoints").glob(".*"))


def test_a_file_where_a_folder_must_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(
        WriteError, match=r"value\.json.*move away the file that stands where"
    ) as told:
        write_json({}, tmp_path / "data" / "runs" / "value.json")
    assert "half-written" in in_words(told.value)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(WriteError, match=r"folder\.json: .*move away the folder"):
        write_json({}, tmp_path / "folder.json")
    assert left(tmp_path) == ["data"]


def write_parts_and_fail(folder: Path) -> None:
    with PartWriter(folder / "parts", SCHEMA) as parts:
        parts.write(TABLE)
        (folder / "other.csv").read_text()


def test_an_error_of_something_else_is_not_taken_for_one_of_writing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"other\.csv"):
        write_parts_and_fail(tmp_path)
    assert left(tmp_path) == []


def test_too_many_open_files_are_told_with_the_limit_to_raise(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        with pytest.raises(WriteError) as writing:
            write_table(TABLE, tmp_path / "table.parquet", SCHEMA)
        with pytest.raises(OSError, match="Too many open files") as reading:
            (tmp_path / "value.json").read_text()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert "table.parquet: cannot be written (Too many open files" in in_words(writing.value)
    assert f"{tmp_path / 'value.json'}: Too many open files; raise" in in_words(reading.value)
    for told in (writing, reading):
        assert "(ulimit -n)" in in_words(told.value)
