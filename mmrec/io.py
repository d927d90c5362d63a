"""Files between stages: read against a schema, written whole; equal contents, equal bytes."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmrec.atomic import atomic_path
from mmrec.schemas import differences

_REMEDY = "delete it and run the stage that writes it again"  # another than the one that reads it


class DataError(Exception):
    """A table or file is not what it must be; the message says what to do about it."""


def content_key(data: bytes) -> bytes:
    """16-byte key of a content: equal bytes, equal key, on every machine."""
    return blake2b(data, digest_size=16).digest()


def sentence_key(sentence: str) -> bytes:
    """Content key of a sentence, the same for canonically equivalent spellings."""
    return content_key(unicodedata.normalize("NFC", sentence).encode())


def write_text(text: str, path: Path) -> None:
    """Write `text` as UTF-8, atomically."""
    content = text.encode()
    with atomic_path(path, num_bytes=len(content)) as temporary:
        temporary.write_bytes(content)


def write_json(value: object, path: Path) -> None:
    """Write `value` as JSON with sorted keys; NaN and infinity are refused."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(text + "\n", path)


def read_json(path: Path, shape: type[object] | None = None) -> Any:
    """Read a JSON file; one that is missing, malformed or of another shape is named.

    Args:
        path: of the file.
        shape: a dataclass of what must be in it at least; nothing is converted.

    Raises:
        DataError: it is not what it must be.
    """
    try:
        content = path.read_bytes()
        value = json.loads(content)
    except FileNotFoundError:
        raise DataError(f"{path}: file not found; run the stage that writes it") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON ({error}); {_REMEDY}") from None
    if shape is not None:
        _check_shape(content, shape, path)
    return value


def _check_shape(content: bytes, shape: type[object], path: Path) -> None:
    from pydantic import TypeAdapter, ValidationError

    try:
        TypeAdapter(shape).validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise DataError(
            f"{path}: {where}: {first['msg']}, found {str(first['input'])[:80]}; run the stage "
            "that writes it again"
        ) from None


def part_files(directory: Path) -> list[Path]:
    """The `part-*.parquet` files of a folder in numeric order (2 before 10)."""

    def number(path: Path) -> int:
        match = re.fullmatch(r"part-(\d+)\.parquet", path.name)
        if match is None:
            raise DataError(f"{path}: not a part of this table; expected part-<number>.parquet")
        return int(match[1])

    return sorted(directory.glob("part-*.parquet"), key=number)


def open_parquet(path: Path, *, remedy: str = _REMEDY) -> pq.ParquetFile:
    """Open one Parquet file, with page checksums verified on reading."""
    if path.is_fifo():
        # Reading one waits for a writer, for ever.
        raise DataError(f"{path}: expected a file, found a named pipe; {remedy}")
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except FileNotFoundError:
        raise DataError(f"{path}: file not found; run the stage that writes it") from None
    except (pa.ArrowInvalid, OSError) as error:
        reraise_if_of_machine(error)
        raise DataError(f"{path}: not a readable Parquet file ({error}); {remedy}") from None


def reraise_if_of_machine(error: Exception) -> None:
    """Let an error pass that says nothing of the file, such as one of rights or of open files.

    Errors of the operating system have a number; those of a format have none.
    """
    if isinstance(error, OSError) and error.errno is not None:
        raise error


def check_schema(found: pa.Schema, expected: pa.Schema, where: Path) -> None:
    """Raise `DataError` unless names and types agree; says which columns differ."""
    if problems := differences(found, expected):
        raise DataError(f"{where}: {'; '.join(problems)}; run the stage that writes it again")


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a Parquet file, or a folder of parts, that must have exactly `schema`.

    Raises:
        DataError: the file is missing, unreadable, or has other columns; names the file.
    """
    if path.is_dir():
        files = part_files(path)
        if not files:
            raise DataError(f"{path}: no part-*.parquet in it; run the stage that writes it")
        return pa.concat_tables([read_table(file, schema) for file in files])
    with open_parquet(path) as file:
        check_schema(file.schema_arrow, schema, path)
        try:
            table = file.read()
        except (pa.ArrowInvalid, OSError) as error:
            reraise_if_of_machine(error)
            raise DataError(f"{path}: damaged ({error}); {_REMEDY}") from None
    return _cast(table.select(schema.names), schema, path)


def read_vectors(path: Path, schema: Callable[[int], pa.Schema]) -> pa.Table:
    """Read a Parquet file whose column `vector` may be of any dimension.

    Args:
        path: of one file.
        schema: what the file must have, given the dimension.
    """
    with open_parquet(path) as file:
        found = file.schema_arrow
    index = found.get_field_index("vector")
    if index < 0 or not pa.types.is_fixed_size_list(found.field(index).type):
        raise DataError(
            f"{path}: no column 'vector' of fixed size; run the stage that writes it again"
        )
    return read_table(path, schema(found.field(index).type.list_size))


def write_table(table: pa.Table, path: Path, schema: pa.Schema) -> None:
    """Write a table as one Parquet file with exactly `schema`, atomically.

    Equal tables give equal bytes. Columns may come in any order; a null where the
    schema has none is a `DataError`.
    """
    rows = conform(table, schema, path)
    with atomic_path(path, num_bytes=rows.nbytes) as temporary:
        pq.write_table(
            rows, temporary, compression="zstd", compression_level=1, write_page_checksum=True
        )


def write_tables(tables: Mapping[Path, tuple[pa.Table, pa.Schema]]) -> None:
    """Write several tables, none of them before all are known to have their schema."""
    ready = [(conform(*table, path), path, table[1]) for path, table in tables.items()]
    for one in ready:
        write_table(*one)


def conform(table: pa.Table, schema: pa.Schema, path: Path) -> pa.Table:
    """The table as `path` would hold it; `DataError` where it has not `schema`."""
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise DataError(f"{path}: columns {missing} missing; found {table.column_names}")
    table = table.select(schema.names)
    for field in schema:
        nulls = table.column(field.name).null_count
        if nulls and not field.nullable:
            raise DataError(f"{path}: column '{field.name}' has {nulls} nulls, expected none")
    return _cast(table, schema, path)


def _cast(table: pa.Table, schema: pa.Schema, path: Path) -> pa.Table:
    try:
        return table.cast(schema)
    except (ValueError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path}: {error}; run the stage that writes it again") from None
