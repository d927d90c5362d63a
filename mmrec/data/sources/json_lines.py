"""Files of objects in, a line each or a row of Parquet; frames out; a malformed one is named."""

from __future__ import annotations

import ast
import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from polars.datatypes import DataType

from mmrec.data.sources.file_kinds import check_parquet_file, check_text_file
from mmrec.data.sources.record import Record, encodable
from mmrec.data.sources.source_files import UNREADABLE, not_in_encoding, open_bytes, shorten
from mmrec.io import DataError, open_parquet, reraise_if_of_machine

_BATCH = 200_000
"""Records held as Python objects."""

_NUM_PARTS = re.compile(r"-of-(\d+)\.parquet$")
"""How the hub names a file of several: `full-00000-of-00002.parquet`."""

_PARQUET_ROWS = 10_000
"""Rows of a Parquet file decoded at once."""

_HALF_A_PAIR = re.compile(r"\\(u|U0000)[dD][89a-fA-F]")
"""How a line may spell half a surrogate pair, which no UTF-8 table can hold."""


def read_records(
    path: Path,
    convert: Callable[[Record], tuple[Any, ...]],
    schema: Mapping[str, DataType | type[DataType]],
    *,
    literals: bool = False,
) -> pl.DataFrame:
    """Read a file of one object a line, plain or `.gz`, or Parquet, as a frame.

    Args:
        path: the file, or a folder of `.parquet` files.
        convert: a record to the values of its row.
        schema: of the frame.
        literals: whether lines may be Python literals instead of JSON.

    Raises:
        DataError: the file is missing or cut off, or a line is malformed.
    """
    frames = [pl.DataFrame(schema=schema)]
    rows = []
    for record in _records(path, literals=literals):
        rows.append(convert(record))
        if len(rows) == _BATCH:
            frames.append(pl.DataFrame(rows, schema=schema, orient="row"))
            rows = []
    frames.append(pl.DataFrame(rows, schema=schema, orient="row"))
    return pl.concat(frames)


def _records(path: Path, *, literals: bool) -> Iterator[Record]:
    if path.suffix == ".parquet" or path.is_dir():
        for part in _parts(path):
            yield from _parquet_records(part)
        return
    check_text_file(path, "JSON lines")
    number = 0
    try:
        with open_bytes(path) as file:
            for number, line in enumerate(file, start=1):
                data = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if data and not data.isspace():
                    yield Record(path, number, _parse(data, path, number, literals=literals))
    except UnicodeDecodeError:
        raise not_in_encoding(path, "utf-8") from None
    except UNREADABLE as error:
        reraise_if_of_machine(error)
        raise DataError(
            f"{path}: cannot be read after line {number} ({error}); replace the file"
        ) from None


def _parts(path: Path) -> list[Path]:
    """A Parquet file, or those of a folder, in the order of their names; none may be missing."""
    if not path.is_dir():
        return [path]
    parts = sorted(path.glob("*.parquet"))
    if not parts:
        raise DataError(f"{path}: expected a file, or a folder of .parquet files; found none in it")
    number = _NUM_PARTS.search(parts[0].name)
    if number and len(parts) != int(number[1]):
        few = len(parts) < int(number[1])
        raise DataError(
            f"{path}: expected {int(number[1])} files by the name {parts[0].name}, found"
            f" {len(parts)}; {'download the missing ones' if few else 'move the others away'}"
        )
    return parts


def _parquet_records(path: Path) -> Iterator[Record]:
    check_parquet_file(path)
    number = 0
    with open_parquet(path, remedy="replace the file") as file:
        try:
            for batch in file.iter_batches(_PARQUET_ROWS):
                for values in batch.to_pylist():
                    number += 1
                    yield Record(path, number, values)
        except (pa.ArrowInvalid, OSError) as error:
            reraise_if_of_machine(error)
            raise DataError(
                f"{path}: damaged after row {number} ({error}); replace the file"
            ) from None


def _parse(data: bytes, path: Path, number: int, *, literals: bool) -> dict[str, Any]:
    line = data.decode()
    try:
        try:
            value = json.loads(line)
        except ValueError:
            if not literals:
                raise
            # Builds constants only; it never runs what the line says.
            value = ast.literal_eval(line.strip())
        if _HALF_A_PAIR.search(line):
            value = encodable(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, dict):
        kind = "a JSON object or a Python dictionary" if literals else "a JSON object"
        raise DataError(
            f"{path}, line {number}: expected {kind}, found {shorten(line.strip())};"
            f" {_remedy(line.strip(), number, literals=literals)}"
        )
    return value


def _remedy(line: str, number: int, *, literals: bool) -> str:
    if number == 1 and line.startswith("["):
        return "the file is a JSON array: write an object a line (`jq -c '.[]'`)"
    if line.startswith("{'") and not literals:
        return "it is a Python dictionary, as in Amazon's files of 2014: check the layout"
    if number == 1 and line.startswith("{"):
        return "if objects span lines, write one a line (`jq -c .`), else correct the line"
    if number == 1:
        return "the file is no JSON lines: check `files` and the file names of the dataset"
    return "correct the line"
