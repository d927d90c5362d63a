"""MMSR's benchmark at the smallest sizes: both forms agree, files and memory are measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("transformers")

from benchmarks import mmsr_step
from benchmarks.mmsr_files import write_files
from benchmarks.mmsr_memory import TRAININGS, train
from benchmarks.mmsr_runs import EVERY, FORMS, Form
from benchmarks.mmsr_step import differences, measure_step
from benchmarks.mmsr_table import feature_lines, step_lines
from benchmarks.mmsr_world import Case, World
from mmrec.models.items import tokens

SMALL = Case(users=2, items=60, width=16, layers=3, heads=2, tokens=10, patch=4)


def test_a_step_from_states_is_that_of_whole_encoders_and_is_reported():
    found = measure_step(SMALL, rounds=1, every_block=True)
    assert found["distinct_items"] <= 2 * 41
    assert {*found["seconds"]} == {*FORMS, EVERY}
    assert all(len(rounds) == 1 for rounds in found["seconds"].values())
    assert found["published"]["slots"] == 64 * 41
    assert found["published"]["passes"] == {"mmrec": 18, "recomputed": 24, "whole": 20, EVERY: 24}
    text = "\n".join(step_lines(found))
    assert f"encodes {found['distinct_items']} distinct ones" in text
    assert "| whole |" in text
    assert "(bound 1e-05)" in text


def test_forms_that_differ_are_not_compared():
    world = World.of(SMALL)
    states = {name: value + 0.1 * (value > 0) for name, value in world.states.items()}
    with pytest.raises(ValueError, match="the forms differ"):
        differences(world._replace(states=states))


def test_whole_encoders_train_what_ours_trains_and_no_more():
    world = World.of(SMALL)
    ours, whole, every = (Form(name, world, drop=True) for name in ("mmrec", "whole", EVERY))
    assert ours.tuned().keys() == whole.tuned().keys()
    counts = [
        sum(p.numel() for p in form.objective.parameters() if p.requires_grad)
        for form in (ours, whole, every)
    ]
    assert counts[0] == counts[1] < counts[2]


def test_features_are_written_read_and_trained_on(tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "STATES_KEPT", 20 * 16 * 10)  # ten items
    files = write_files(SMALL, tmp_path)
    assert files["bytes"] > files["bytes_of_values"] == 2 * 2 * 60 * 10 * 16
    trainings = {name: train(name, replace(SMALL, users=3), tmp_path) for name in TRAININGS}
    for one in trainings.values():
        assert one["users"] == 3
        assert {*one["most_mib"]} == {"loading", "steps", "retrieval"}
        assert one["most_mib"]["steps"]["VmRSS"] <= one["peak_mib"] + 1  # counted page by page
    text = "\n".join(feature_lines({**vars(SMALL), "files": files, "trainings": trainings}))
    assert "| merge attention, top two blocks | 3 |" in text


def test_results_are_written_of_the_default_sizes_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(mmsr_step, "RESULTS", tmp_path / "found.json")
    monkeypatch.setattr(mmsr_step, "measure_step", lambda *_, **__: {})
    monkeypatch.setattr(mmsr_step, "measure_files", lambda *_: {})
    monkeypatch.setattr(mmsr_step, "step_lines", lambda _: ["steps"])
    monkeypatch.setattr(mmsr_step, "feature_lines", lambda _: ["files"])
    mmsr_step.main(mmsr_step.parser().parse_args(["--users", "2"]))
    assert not list(tmp_path.iterdir())
    mmsr_step.main(mmsr_step.parser().parse_args([]))
    assert (tmp_path / "found.md").read_text() == "# MMSR: steps and features\n\nsteps\n\nfiles\n"
