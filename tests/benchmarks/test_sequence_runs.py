"""Benchmarks read sequences as the pipeline does."""

from __future__ import annotations

from pathlib import Path

from benchmarks.sequence_epoch import EVERYTHING
from benchmarks.sequence_runs import read


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "sequences.txt"
    file.write_text("1 4 5 6\n2 6 5\n")

    found = read(file, EVERYTHING)

    assert found.users["user_id"].to_pylist() == ["1", "2"]
    assert found.sequences["training_end"].to_pylist() == [1, 2]
