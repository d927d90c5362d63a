"""A text file with a line per user."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from mmrec.data.sources.sequences import SequencesSource
from mmrec.io import DataError


def _file(folder: Path, content: str | bytes) -> Path:
    path = folder / "shop.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        "2 b a b\n1 ü.x\n",
        "\ufeff2 b a b\n1 ü.x\n",
        "2 b a b\r\n1 ü.x",
        "2 b a b\r1 ü.x\r",
        "2\tb  a b \n1 ü.x\n",
    ],
)
def test_lines_become_interactions_in_order_without_times(tmp_path: Path, content: str) -> None:
    raw = SequencesSource(_file(tmp_path, content)).read()
    assert raw.interactions.to_pylist() == [
        {"user_id": user, "item_id": item, "timestamp_ns": None, "rating": None}
        for user, item in [("2", "b"), ("2", "a"), ("2", "b"), ("1", "ü.x")]
    ]
    assert raw.items.to_pylist() == [
        {"item_id": item, "title": None, "texts": []} for item in ("b", "a", "ü.x")
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 a\n\n2 b\n", r"shop\.txt, line 2: expected `user item item …`, found a blank line"),
        ("1,a,b\n", r"shop\.txt, line 1: .*found the user '1,a,b' .*; separate ids by spaces"),
        ("1 a\n2\n", r"shop\.txt, line 2: .*found the user '2' without items \(1 such lines\)"),
        ("", r"shop\.txt: the file is empty; expected a line `user item item …`"),
        ("1 a\n2 b\n1 c\n", r"expected one line per user, found '1' on lines 1 and 3"),
        (b"1 a\n2 \xff\n", r"line 2: expected utf-8 text, found the byte 0xff"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        SequencesSource(_file(tmp_path, content)).read()


def test_a_damaged_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shop.txt.gz"
    path.write_bytes(gzip.compress(b"1 a b\n" * 99)[:-9])
    with pytest.raises(DataError, match=r"shop\.txt\.gz: cannot be read .*; replace the file"):
        SequencesSource(path).read()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"shop\.txt: file not found"):
        SequencesSource(tmp_path / "shop.txt").read()
