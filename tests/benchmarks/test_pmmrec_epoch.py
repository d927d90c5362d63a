"""PMMRec over a large catalogue, at the smallest sizes: files of the pipeline, a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.memory_clock import MemoryClock
from benchmarks.pmmrec_catalogue import MODALITIES, read
from benchmarks.pmmrec_epoch import DEFAULT, lines, measure

SMALL = replace(
    DEFAULT,
    items=60,
    interactions=360,
    width=16,
    tokens=5,
    dim=8,
    heads=2,
    batch_size=80,
    validation_users=5,
)


@pytest.mark.parametrize("tune", ["none", "top2"])
def test_an_epoch_is_timed_part_by_part_and_reported(tune, tmp_path: Path):
    if tune == "top2":
        pytest.importorskip("transformers")
    case = replace(SMALL, tune=tune)
    case.write(tmp_path)
    found = measure(case, tmp_path)
    assert found["steps"] == found["steps_of_epoch"] > 1
    assert sum(found["seconds_of"].values()) == pytest.approx(found["epoch_seconds"])
    assert 0 < found["waiting_for_states"] < found["epoch_seconds"]
    assert {*found["memory_mib"]["own_by_phase"]} == {"start", "reading", "training", "validation"}
    assert found["memory_mib"]["own_mib"] <= found["memory_mib"]["resident_mib"]
    text = "\n".join(lines(found | {"machine": "a machine", "load": 0.0}))
    assert "30 users, 60 items" in text
    assert "cut off" not in text


def test_an_epoch_that_is_cut_says_so(tmp_path: Path):
    case = replace(SMALL, max_steps=1)
    case.write(tmp_path)
    found = measure(case, tmp_path)
    assert found["steps"] == 1 < found["steps_of_epoch"]
    text = "\n".join(lines(found | {"machine": "a machine", "load": 0.0}))
    assert f"cut off after 1 of {found['steps_of_epoch']} steps" in text


def test_every_item_has_the_states_that_were_written_for_it(tmp_path: Path):
    tokens = SMALL.write(tmp_path)
    data = read(SMALL, tmp_path)
    for name in MODALITIES:
        packed = data.features[name].tokens.gather(torch.arange(SMALL.items + 1))
        assert len(packed.values) == tokens[name] == int(packed.lengths.sum())
        assert packed.counts.tolist() == [0] + [1] * SMALL.items
    lengths = data.features["text"].tokens.gather(torch.arange(1, 61)).lengths
    assert set(lengths.tolist()) == {2, 3, 4, 5}


def test_memory_of_its_own_is_told_by_phase():
    with MemoryClock() as memory:
        memory.enter("one")
        kept = torch.ones(64, 2**18)  # 64 MiB
        memory.enter("two")
        del kept
        memory.enter("three")
    assert memory.own_mib["one"] - memory.own_mib["start"] > 60
    assert memory.own_mib["two"] - memory.own_mib["start"] > 60
    assert memory.own_mib["three"] < memory.own_mib["two"] - 60
    assert memory.peaks["own_mib"] == max(memory.own_mib.values())
