"""Params files that no one should have written: one message each, and quickly."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mmrec.params.file import ParamsError, load_params

ROOT = Path(__file__).parents[2]
SHIPPED = (ROOT / "params.yaml").read_text()
SHIPPED_DATA = YAML(typ="safe").load(SHIPPED)


def message(content: str | bytes, folder: Path) -> str:
    path = folder / "params.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    started = time.perf_counter()
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    assert time.perf_counter() - started < 5
    assert len(str(caught.value)) < 2500
    assert str(caught.value).startswith("params.yaml: ")
    return str(caught.value)


def dataset_named(name: str) -> str:
    text = SHIPPED.replace("  demo:\n    files", f"  {name}:\n    files", 1)
    assert text != SHIPPED
    return text


def seed_is(value: str) -> str:
    text = SHIPPED.replace("seed: 7}", f"seed: {value}}}", 1)
    assert text != SHIPPED
    return text


def laughs(entry: str) -> str:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} {entry.replace('*', f'*a{i - 1}')}" for i in range(1, 14)]
    return "\n".join(lines)


@pytest.mark.parametrize("name", ["2023", "~", "2023-01-01", "true", "1.5", "[1, 2]"])
def test_a_name_that_is_no_text_is_to_be_quoted(name: str, tmp_path: Path) -> None:
    found = message(dataset_named(name), tmp_path)
    assert "datasets: found the name" in found
    assert "write it in quotes" in found
    # With what else is wrong: nothing has the name `demo` any more.
    assert "report.dataset: found 'demo', allowed:" in found


def test_a_quoted_number_is_a_name(tmp_path: Path) -> None:
    text = dataset_named('"2023"').replace("dataset: demo", 'dataset: "2023"')
    (tmp_path / "params.yaml").write_text(text)
    assert [*load_params(tmp_path / "params.yaml").datasets] == ["2023"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "found nothing, expected the sections datasets, unions, embed,"),
        ("# a comment\n", "found nothing, expected the sections"),
        ("[1, 2]", "found [1, 2], expected the sections datasets,"),
        ("hello", "found 'hello', expected the sections datasets,"),
        ("runs: {}\nruns: {}\n", 'line 2, column 1: found duplicate key "runs"'),
        ("runs: \0\n", "not valid YAML: unacceptable character #x0000"),
        (
            "runs:\n\tdemo: 1\n",
            "line 2, column 1: found character that cannot start any token; indent",
        ),
        (b"title: caf\xe9\n", "not UTF-8: byte 11 is no part of such a text; save it as UTF-8"),
        (SHIPPED.encode("utf-16"), "not UTF-8: byte 1"),
        (SHIPPED + "\n---\nruns: {}\n", "but found another document"),
        ("a: *b\n", "line 1, column 4: found undefined alias"),
        ("runs:\n  a: &a [*a]\n", "line 2: *a is inside itself"),
        ("a: !!python/object/apply:os.system [ls]\n", "could not determine a constructor"),
        ("a: " + "[" * 50_000 + "]" * 50_000, "line 1: more than 50 levels inside each other"),
        ("a: " + "{a: " * 50_000 + "}" * 50_000, "line 1: more than 50 levels inside each other"),
        ("- " * 50_000, "line 1: more than 50 levels inside each other"),
        (laughs("[*, *, *, *, *, *, *, *]"), "line 6: more than 100,000 values with aliases"),
        (laughs("{<<: [*, *, *, *, *, *, *, *]}"), "line 6: more than 100,000 values with aliases"),
        ("a: [" + "1, " * 200_000 + "1]", "line 1: more than 100,000 values"),
        (b"#" * 10_000_001, "found 10,000,001 bytes, allowed: 10,000,000"),
        (seed_is("9" * 5000), "line 7: found 9999999999999999999999999999999999999999…: Exceeds"),
        (
            seed_is("0x" + "9" * 5000),
            "demo.source.seed: found a number of 20,000 bits, allowed: 63",
        ),
        (seed_is("2001-99-14"), "line 7: found 2001-99-14: month must be in 1..12; write text in"),
        (dataset_named("d" * 101), "String should have at most 100 characters"),
        (SHIPPED.replace("duplicates: keep_last", f"duplicates: {'x' * 5000}"), "xxxx…, allowed:"),
    ],
)
def test_what_is_wrong_is_said_where(content: str | bytes, expected: str, tmp_path: Path) -> None:
    assert expected in message(content, tmp_path)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.mkdir()
    with pytest.raises(ParamsError, match=r"params\.yaml: found a folder, expected a text file"):
        load_params(path)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(ParamsError, match=r"params\.yaml: found no regular file"):
        load_params(path)


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SHIPPED.encode())
    assert load_params(path) == load_params(ROOT / "params.yaml")


def test_the_command_ends_with_the_message_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(dataset_named("2023"))
    done = subprocess.run(
        [sys.executable, "-m", "mmrec.params"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml: ")
    assert "Traceback" not in done.stderr


def places(section: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a params file with each of its keys."""
    keys = section if isinstance(section, dict) else range(len(section))
    for key in keys:
        yield section, key
        if isinstance(section[key], dict | list):
            yield from places(section[key])


PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.binary(max_size=4),
    st.sampled_from(["", "demo", "mp4sr", "name", "name: x", "{}", "\u2028", "sequences", "none"]),
)
ANY = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "demo", "side", "left"]) | PLAIN, inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(value=ANY, place=st.integers(0, 10_000), added=st.booleans())
def test_any_value_anywhere_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, value: object, place: int, *, added: bool
) -> None:
    data = copy.deepcopy(SHIPPED_DATA)
    found = [*places(data)]
    assert len(found) > 150
    section, key = found[place % len(found)]
    if added and isinstance(section, dict):
        section["x"] = value
    else:
        section[key] = value
    text = io.StringIO()
    YAML(typ="safe").dump(data, text)
    path = tmp_path_factory.getbasetemp() / "params.yaml"
    path.write_text(text.getvalue())
    with contextlib.suppress(ParamsError):  # any other error is a crash
        load_params(path)
