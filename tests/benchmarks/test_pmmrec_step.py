"""PMMRec's benchmark at the smallest sizes: both forms agree, and steps are timed and reported."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

pytest.importorskip("transformers")

from benchmarks import pmmrec_step
from benchmarks.pmmrec_runs import FORMS, Form
from benchmarks.pmmrec_step import differences, lines, measure
from benchmarks.pmmrec_world import Case, World

SMALL = Case(users=5, items=40, width=16, heads=2, tokens=6, shortest=2)
"""So few items that most are in several rows."""
CHANGES = {
    "as published": {},
    "mean of tokens": {"readout": "mean"},
    "not all have contents": {"lacking": 0.3, "losses": {"denominator": "literal"}},
    "icl, mean, not all have contents": {
        "lacking": 0.3,
        "readout": "mean",
        "losses": {"contrast": "icl", "temperature": 1.0},
    },
    "vcl, relu, raw": {"losses": {"contrast": "vcl", "nid_relu": True, "rcl": "raw"}},
}


def test_a_step_is_timed_in_all_forms_and_reported():
    found = measure(SMALL, rounds=1)
    assert {*found["seconds"]} == {*FORMS}
    assert all(len(rounds) == 1 for rounds in found["seconds"].values())
    assert found["slots"] == 5 * 21
    assert found["distinct_items"] < found["real_slots"] < found["slots"]
    text = "\n".join(lines({"published": found}))
    assert (
        f"| published | 105 | {found['real_slots']} | {found['distinct_items']} | mmrec |" in text
    )
    assert "(bound 1e-05)" in text


def test_windows_are_whole_where_that_is_asked_for():
    form = Form("mmrec", World.of(replace(SMALL, events=None)), drop=False)
    assert form.sizes["real_slots"] == form.sizes["slots"] == 5 * 21


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_losses_and_gradients_are_those_of_the_straightforward_form(changes):
    found = differences(replace(SMALL, **changes))
    gradients = [value for name, value in found.items() if name.endswith(" gradient")]
    losses = [value for name, value in found.items() if not name.endswith(" gradient")]
    assert len(gradients) == len(losses) == 4
    assert max(gradients) < 1e-9  # in double precision
    assert max(losses) < 1e-5  # in single precision, whose last bits are the processor's


def test_forms_that_differ_are_not_compared(monkeypatch):
    monkeypatch.setattr("benchmarks.straightforward_pmmrec_network.USER_NORM_EPS", 0.1)
    with pytest.raises(ValueError, match="the forms differ"):
        differences(SMALL)


def test_forms_do_not_share_what_they_train():
    world = World.of(SMALL)
    first, second = (Form("mmrec", world, drop=True) for _ in range(2))
    before = {name: value.detach().clone() for name, value in second.parameters.items()}
    first.step()
    assert all(torch.equal(value, before[name]) for name, value in second.parameters.items())
    assert any(not torch.equal(value, before[name]) for name, value in first.parameters.items())


def test_results_are_written_of_the_default_sizes_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(pmmrec_step, "RESULTS", tmp_path / "found.json")
    monkeypatch.setattr(pmmrec_step, "measure", lambda *_: {})
    monkeypatch.setattr(pmmrec_step, "lines", lambda _: ["found"])
    pmmrec_step.main(pmmrec_step.parser().parse_args(["--users", "2"]))
    assert not list(tmp_path.iterdir())
    pmmrec_step.main(pmmrec_step.parser().parse_args([]))
    assert (tmp_path / "found.md").read_text() == "found\n"
