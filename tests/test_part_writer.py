from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrec import io, schemas
from mmrec.part_writer import PartWriter

SCHEMA = pa.schema(
    [pa.field("name", pa.string(), nullable=False), pa.field("number", pa.int32(), nullable=False)]
)
TABLE = pa.table({"number": pa.array([1, 2], pa.int32()), "name": ["a", "b"]})


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    schema = schemas.features(8, pa.float16())
    rows = pa.table(
        {
            "item_id": ["a"] * 50,
            "position": pa.array(range(50), pa.int32()),
            "content_key": pa.array([bytes(16)] * 50, pa.binary(16)),
            "embedding": pa.array([[0.5] * 8] * 50, schema.field("embedding").type),
        }
    )
    with PartWriter(tmp_path, schema) as writer:
        writer.write(rows)
    [path] = io.part_files(tmp_path)
    damaged = bytearray(path.read_bytes())
    # Somewhere in the pages, well before the footer.
    damaged[len(damaged) // 3] ^= 0xFF
    path.write_bytes(damaged)
    damage = r"(damaged|not a readable)(.|\n)*; delete it and run the stage that writes it"
    with pytest.raises(io.DataError, match=damage):
        io.read_table(tmp_path, schema)


@given(st.lists(st.integers(0, 7), max_size=12), st.integers(1, 5))
def test_parts_do_not_depend_on_how_rows_arrive(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[int], rows_per_part: int
) -> None:
    total = sum(pieces)
    table = pa.table(
        {
            "name": [str(row) for row in range(total)],
            "number": pa.array(range(total), pa.int32()),
        }
    )
    one, many = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("many")
    with PartWriter(one, SCHEMA, rows_per_part=rows_per_part) as writer:
        writer.write(table)
    with PartWriter(many, SCHEMA, rows_per_part=rows_per_part) as writer:
        start = 0
        for size in pieces:
            writer.write(table.slice(start, size))
            start += size
    assert [p.name for p in io.part_files(one)] == [p.name for p in io.part_files(many)]
    for left, right in zip(io.part_files(one), io.part_files(many), strict=True):
        assert left.read_bytes() == right.read_bytes()
    assert io.read_table(one, SCHEMA).num_rows == total


def test_a_writer_that_fails_leaves_no_open_part(tmp_path: Path) -> None:
    def write_and_fail() -> None:
        with PartWriter(tmp_path, SCHEMA) as writer:
            writer.write(TABLE)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert io.part_files(tmp_path) == []


def _rows_of_parts(folder: Path) -> list[int]:
    return [io.read_table(path, SCHEMA).num_rows for path in io.part_files(folder)]


def test_parts_of_an_earlier_writer_do_not_stay(tmp_path: Path) -> None:
    for num_rows in (2, 1):
        with PartWriter(tmp_path, SCHEMA, rows_per_part=1) as writer:
            writer.write(TABLE.slice(0, num_rows))
    assert _rows_of_parts(tmp_path) == [1]


def test_parts_appear_together_at_the_end(tmp_path: Path) -> None:
    with PartWriter(tmp_path, SCHEMA) as writer:
        writer.write(TABLE)

    def write_and_fail() -> None:
        with PartWriter(tmp_path, SCHEMA, rows_per_part=1) as writer:
            writer.write(TABLE)
            assert _rows_of_parts(tmp_path) == [2]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert [path.name for path in tmp_path.iterdir()] == ["part-00000.parquet"]
    assert _rows_of_parts(tmp_path) == [2]
