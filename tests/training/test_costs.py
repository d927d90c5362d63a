"""What a result took, beside it and not in it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from mmrec.io import write_json
from mmrec.training import costs
from mmrec.training.costs import CostClock, read_cost


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "model.json"
    write_json({"epochs": 3}, path)
    return path


def test_a_cost_is_of_the_record_that_came_out_and_of_no_other(
    record: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "costs"
    assert read_cost(record, folder) is None
    clock = CostClock(folder, whole=False)
    time.sleep(0.01)
    clock.stop(record)
    found = read_cost(record, tmp_path / "nowhere", folder)
    assert found is not None
    assert 0.01 <= found.seconds < 60
    assert not found.whole
    assert found.gpu_mib is None
    assert f"torch {torch.__version__}" in found.machine
    before = record.read_bytes()
    write_json({"epochs": 4}, record)
    assert read_cost(record, folder) is None, "of another training"
    record.write_bytes(before)
    assert read_cost(record, folder) == found, "the same again, wherever it was in between"
    record.unlink()
    assert read_cost(record, folder) is None


def test_memory_is_the_most_that_this_process_had(record: Path, tmp_path: Path) -> None:
    if not Path("/proc/self/status").is_file():
        pytest.skip("the system does not say how much memory a process has had")
    held = b"x" * 2**27
    CostClock(tmp_path).stop(record)
    first = read_cost(record, tmp_path)
    assert first is not None
    assert first.peak_mib is not None
    assert first.peak_mib > 128
    del held
    CostClock(tmp_path).stop(record)
    again = read_cost(record, tmp_path)
    assert again is not None
    assert again.peak_mib is not None
    assert again.peak_mib > first.peak_mib - 8, "counted by the page, and given back since"


def test_where_the_system_does_not_say_memory_is_not_known(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "_STATUS", tmp_path / "none")
    monkeypatch.setattr(costs, "_PROCESSORS", tmp_path / "none")
    CostClock(tmp_path).stop(record)
    found = read_cost(record, tmp_path)
    assert found is not None
    assert found.peak_mib is None
    assert " cores, " in found.machine
