"""Order at equal times and splits as a params file has them: what is read, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mmrec.params.file import ParamsError, load_params
from mmrec.params.split import LeaveOneOutParams, SplitParams, TemporalParams
from tests.params.test_file import ROOT

CLEAN = "      cold_threshold: 10\n"


def read(folder: Path, *lines: str) -> Any:
    """Settings of cleaning after a few lines were put into the shipped file's section."""
    text = (ROOT / "params.yaml").read_text()
    assert text.count(CLEAN) == 1
    path = folder / "params.yaml"
    path.write_text(text.replace(CLEAN, CLEAN + "".join(f"      {line}\n" for line in lines)))
    return load_params(path).datasets["demo"].clean


def test_the_shipped_file_leaves_one_out_in_the_order_of_the_file(tmp_path: Path) -> None:
    clean = read(tmp_path)
    assert (clean.tie_order, clean.tie_seed) == ("file", 0)
    assert clean.split == LeaveOneOutParams()
    assert read(tmp_path, "split: {name: leave_one_out}") == clean


@pytest.mark.parametrize("order", ["file", "item", "random"])
def test_every_order_is_read(tmp_path: Path, order: str) -> None:
    assert read(tmp_path, f"tie_order: {order}").tie_order == order


@pytest.mark.parametrize("targets", ["first", "last", "all"])
@pytest.mark.parametrize(
    ("validation", "test"),
    [
        ("0.8", "0.9"),
        ("8e-1", '"2014-02-01"'),
        ("'2013-11-01'", "'2013-11-01T00:00:01'"),
        ("'2014-01-01T00:30:00+01:00'", "'2014-01-01'"),
    ],
)
def test_every_border_is_read(tmp_path: Path, validation: str, test: str, targets: str) -> None:
    found: SplitParams = read(
        tmp_path,
        f"split: {{name: temporal, validation: {validation}, test: {test}, targets: {targets}}}",
    ).split
    written = YAML(typ="safe").load(f"[{validation}, {test}]")
    assert isinstance(found, TemporalParams)
    assert [found.validation, found.test] == written
    assert found.targets == targets


def test_the_last_of_each_user_is_the_target_unless_others_are_asked_for(tmp_path: Path) -> None:
    split = read(tmp_path, "split: {name: temporal, validation: 0.8, test: 0.9}").split
    assert split.targets == "last"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("split: {name: temporal, validation: 0.9, test: 0.9}", "test: .*not later than validatio"),
        (
            "split: {name: temporal, validation: '2014-01-02', test: '2014-01-02T01:00:00+01:00'}",
            r"test: .*not later than validation \(2014-01-02\)",
        ),
        (
            "split: {name: temporal, validation: 2014-01-01, test: 0.9}",
            "validation: .*without quotes this is no text; allowed: a date in quotes, such as",
        ),
        ("split: {name: temporal, validation: 0, test: 0.9}", "validation: found 0; allowed: a da"),
        ("split: {name: temporal, validation: 0.8, test: 1}", "test: found 1; allowed: a date"),
        ("split: {name: temporal, validation: true, test: 0.9}", "validation: found True; allowed"),
        ("split: {name: temporal, validation: spring, test: 0.9}", "validation: found 'spring'; a"),
        ("split: {name: temporal, validation: 0.8}", "test: missing; this key must be set"),
        ("split: {name: by_time}", r"split\.name: found 'by_time', allowed: 'leave_one_out', 'tem"),
        ("split: {name: leave_one_out, targets: all}", r"split\.targets: unknown key"),
        ("tie_order: shuffled", "tie_order: found 'shuffled', allowed: 'file', 'item' or 'random'"),
        ("tie_seed: 3", ": tie_seed is 3, but tie_order is file, which has no use for it"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_set(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(ParamsError, match=rf"1 error\n  datasets\.demo\.clean.*{says}"):
        read(tmp_path, line)
