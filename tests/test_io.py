from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmrec import io

SCHEMA = pa.schema(
    [pa.field("name", pa.string(), nullable=False), pa.field("number", pa.int32(), nullable=False)]
)
TABLE = pa.table({"number": pa.array([1, 2], pa.int32()), "name": ["a", "b"]})


def test_a_table_comes_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "table.parquet"
    io.write_table(TABLE, path, SCHEMA)
    assert io.read_table(path, SCHEMA).to_pylist() == TABLE.select(["name", "number"]).to_pylist()


def test_equal_tables_give_equal_bytes(tmp_path: Path) -> None:
    io.write_table(TABLE, tmp_path / "a", SCHEMA)
    chunked = pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)])
    io.write_table(chunked.combine_chunks(), tmp_path / "b", SCHEMA)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_column_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(io.DataError, match=re.escape("columns ['name'] missing")):
        io.write_table(TABLE.select(["number"]), tmp_path / "t.parquet", SCHEMA)
    assert list(tmp_path.iterdir()) == []


def test_a_null_where_none_may_be_is_refused(tmp_path: Path) -> None:
    table = pa.table({"name": ["a", None], "number": pa.array([1, 2], pa.int32())})
    with pytest.raises(io.DataError, match="column 'name' has 1 nulls"):
        io.write_table(table, tmp_path / "t.parquet", SCHEMA)


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    io.write_json({"a": 1}, path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        io.write_json({"a": float("nan")}, path)
    assert io.read_json(path) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["value.json"]


@dataclass
class Counted:
    """A file that must have a count."""

    count: int
    reasons: dict[str, int]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"count": 1}', r"reasons: Field required, found \{'count': 1\}; run the stage"),
        ('{"count": "1", "reasons": {}}', r"count: Input should be a valid integer, found 1"),
        ('{"count": 1, "reasons": {"a": null}}', r"reasons\.a: Input .*, found None"),
        ("[]", r"the whole file: .*, found \[\]"),
        ("null", r"the whole file: .*, found None"),
        ("[" * 100_000, "not valid JSON"),
        ("\x00", "not valid JSON"),
    ],
)
def test_json_of_another_shape_is_named(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    path.write_text(text)
    with pytest.raises(io.DataError, match=rf"value\.json: {says}"):
        io.read_json(path, Counted)
    path.write_text('{"count": 1, "reasons": {"a": 2}, "more": 3}')
    assert io.read_json(path, Counted) == {"count": 1, "reasons": {"a": 2}, "more": 3}


def test_other_columns_are_named_with_file_found_and_expected(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"name": ["a"], "number": ["1"], "extra": [0]}), path)
    with pytest.raises(io.DataError) as caught:
        io.read_table(path, SCHEMA)
    message = str(caught.value)
    assert "t.parquet" in message
    assert "'number': found string, expected int32" in message
    assert "'extra': unexpected" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "file not found"), (b"", "not a readable"), (b"nonsense", "not a readable")],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "t.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(io.DataError, match=f"{message}.*; .*run the stage that writes it"):
        io.read_table(path, SCHEMA)


def test_a_pipe_is_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.parquet")
    with pytest.raises(
        io.DataError, match=r"a\.parquet: expected a file, found a named pipe; delete"
    ):
        io.read_table(tmp_path / "a.parquet", SCHEMA)


def test_parts_are_read_in_numeric_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        row = pa.table({"name": ["x"], "number": pa.array([number], pa.int32())})
        io.write_table(row, tmp_path / f"part-{number}.parquet", SCHEMA)
    assert io.read_table(tmp_path, SCHEMA)["number"].to_pylist() == [1, 2, 10]


def test_of_several_tables_none_is_written_if_one_is_wrong(tmp_path: Path) -> None:
    wrong = TABLE.select(["number"])
    with pytest.raises(io.DataError, match=r"b\.parquet: columns \['name'\] missing"):
        io.write_tables(
            {tmp_path / "a.parquet": (TABLE, SCHEMA), tmp_path / "b.parquet": (wrong, SCHEMA)}
        )
    assert list(tmp_path.iterdir()) == []


def test_equivalent_spellings_have_one_key() -> None:
    assert io.sentence_key("cafe\u0301") == io.sentence_key("caf\u00e9")
    assert io.sentence_key("cafe") != io.sentence_key("caf\u00e9")
    assert len(io.content_key(b"")) == 16
