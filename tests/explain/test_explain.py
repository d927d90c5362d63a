"""What `mmrec explain` says of changes of code and settings, and what it refuses."""

from __future__ import annotations

import doctest
import hashlib
import shutil
from pathlib import Path

import pytest

from mmrec.cli.main import main
from mmrec.explain import values
from mmrec.explain.code_changes import code_change

ROOT = Path(__file__).parents[2]
PATH = "data/code/clean.txt"
BEFORE = "1a mmrec.data:clean\n2b mmrec.io:read\n"


def recorded(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def test_changed_values_are_shown_as_they_were_and_are() -> None:
    assert doctest.testmod(values).attempted
    assert [*values.differences({"a": {}, "b": [1, 2]}, {"a": {"c": True}, "b": (1, 2)})] == [
        "a: {} -> nothing",
        "a.c: nothing -> true",
    ]


@pytest.mark.parametrize(
    ("kept", "now", "says"),
    [
        (BEFORE, BEFORE, ""),
        (BEFORE, "1a mmrec.data:clean\n3c mmrec.io:read\n", "code: mmrec.io:read"),
        (BEFORE, "1a mmrec.data:clean\n", "code: mmrec.io:read"),
        (BEFORE, BEFORE + "".join(f"4 m:f{i}\n" for i in range(6)), "code: m:f0, m:f1, m:f2, m:f3"),
        ("other", BEFORE.upper(), "code: not as it last ran with"),
    ],
)
def test_changed_code_is_named_where_it_is_known(
    tmp_path: Path, kept: str, now: str, says: str
) -> None:
    (tmp_path / "data/code").mkdir(parents=True)
    (tmp_path / PATH).write_text(kept)
    found = code_change(PATH, recorded(BEFORE), {PATH: now}, tmp_path)
    assert found.removesuffix(" and 2 more") == says
    assert found.endswith("more") == (now.count("\n") > 5)


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ("demo-mp4r", "run 'demo-mp4r': did you mean 'demo-mp4sr'? there is demo-"),
        ("demo-mp4sr", "no dvc.yaml with .dvc beside it"),
    ],
)
def test_what_cannot_be_explained_is_said_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str, says: str
) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["explain", run])
    assert says in str(ended.value.code)
