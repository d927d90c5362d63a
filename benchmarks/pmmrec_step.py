"""PMMRec's pre-training step against its straightforward form: `python -m benchmarks.pmmrec_step`.

All four losses of 64 users with 21 slots each, from token states that enter the top two blocks of a
RoBERTa and a CLIP ViT of random weights, which are trained with the rest. The straightforward form
encodes every slot, padding too, in one padded tensor; ours each distinct item once. First both
forms' losses and gradients without dropout, then steps with it, in turn in one process: of users
whose windows are as full as those of the published sources, and of users with whole windows. At the
published width of 768 the straightforward form wants more than 20 GB; `--width 768` asks for it. Of
the default sizes, writes `results/pmmrec_step.json` and `.md`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from statistics import median
from typing import Any

import torch

from benchmarks.peers.machine import describe_machine
from benchmarks.pmmrec_runs import FORMS, Form, FormName
from benchmarks.pmmrec_world import Case, World
from benchmarks.rounds import Seconds, in_rounds, stopped
from mmrec.io import write_json, write_text
from mmrec.study.workspace import PROJECT

RESULTS = PROJECT / "benchmarks" / "results" / "pmmrec_step.json"
TOLERANCE = 1e-5
COMPARED: tuple[FormName, ...] = ("recomputed", "straightforward")
FEW = 8
"""Users whose gradients are compared."""


def differences(case: Case) -> dict[str, float]:
    """How far apart the forms are in each loss and its gradients, without dropout.

    Losses of the case as it is trained. Gradients of fewer users and in double precision, for in
    single the rounding in the blocks comes to some 1e-5 in either form; by tensor, relative to the
    largest of the tensor, or to a millionth of the largest of all where that is more.

    Raises:
        ValueError: they are no forms of the same.
    """
    world = World.of(case)
    few = World.of(replace(case, users=min(FEW, case.users)))
    wholes, forms = (
        [Form(name, one, drop=False, precision=precision) for name in COMPARED]
        for one, precision in ((world, torch.float32), (few, torch.float64))
    )
    with torch.no_grad():
        values = [form.losses() for form in wholes]
    found = {}
    for name, expected in values[1].items():
        found[name] = float((values[0][name] - expected).abs() / expected.abs())
        found[f"{name} gradient"] = _apart(*(_gradients(form, name) for form in forms))
    if not all(value <= TOLERANCE for value in found.values()):
        raise ValueError(f"the forms differ: {found}; a comparison of times would mean nothing")
    return found


def _gradients(form: Form, name: str) -> list[torch.Tensor]:
    loss, weights = form.losses()[name], list(form.parameters.values())
    return list(torch.autograd.grad(loss, weights, materialize_grads=True))


def _apart(ours: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> float:
    least = max(float(other.abs().max()) for other in others) / 1e6
    return max(
        float((own - other).abs().max()) / max(float(other.abs().max()), least)
        for own, other in zip(ours, others, strict=True)
    )


def timed(world: World, rounds: int) -> dict[str, list[Seconds]]:
    """Seconds of a step of each form, a value a round; the first round is not counted."""
    forms = {name: Form(name, world, drop=True) for name in FORMS}
    return in_rounds({name: partial(stopped, form.step) for name, form in forms.items()}, rounds)


def measure(case: Case, rounds: int) -> dict[str, Any]:
    """Everything about a case."""
    apart = differences(case)
    print(apart, flush=True)
    world = World.of(case)
    form = Form("recomputed", world, drop=True)
    return {
        "case": asdict(case),
        **form.sizes,
        "items_kept": form.model.item_encoder.items_kept,
        "machine": describe_machine(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "rounds": rounds,
        "without_dropout": apart,
        "seconds": timed(world, rounds),
        "load": os.getloadavg()[1],
    }


def lines(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Times of the forms and their ratios, case by case."""
    some = next(iter(found.values()))
    case = some["case"]
    return [
        "# PMMRec: a step of pre-training",
        "",
        f"DAP, NICL, NID and RCL of {case['users']} users, {case['width']} wide, {case['heads']} "
        "heads; the top two blocks of a text and a picture encoder are trained from token states, "
        f"{case['tokens']} a picture and {case['shortest']} to {case['tokens']} a text. Users "
        f"choose among {case['items']:,} items. `straightforward` encodes every slot in one padded "
        "tensor, `mmrec` each distinct item once; both keep everything for their gradients. "
        "`recomputed` is what mmrec does on a CPU: of "
        f"{some['items_kept']} items it keeps what gradients need, the rest is computed again. "
        f"{some['machine']}, torch {some['torch']}, threads: {some['threads']}, load "
        f"{some['load']:.1f}; all in turn in one process, {some['rounds']} rounds, processor "
        "seconds; ratios are medians and ranges over rounds.",
        "",
        "| windows | slots | with an item | distinct items | form | s a step | against it |",
        "|---|---|---|---|---|---|---|",
        *(row for name, one in found.items() for row in _rows(name, one)),
        "",
        *(_same(name, one["without_dropout"]) for name, one in found.items()),
    ]


def _rows(name: str, one: Mapping[str, Any]) -> list[str]:
    counts = f"{one['slots']:,} | {one['real_slots']:,} | {one['distinct_items']:,}"
    slow = [each["processor"] for each in one["seconds"]["straightforward"]]
    rows: list[str] = []
    for form in FORMS:
        own = [each["processor"] for each in one["seconds"][form]]
        ratios = [other / mine for other, mine in zip(slow, own, strict=True)]
        against = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        shown = f"| {name} | {counts}" if not rows else "| | | | "
        rows.append(
            f"{shown} | {form} | {median(own):.1f} | "
            f"{'' if form == 'straightforward' else against} |"
        )
    return rows


def _same(name: str, apart: Mapping[str, float]) -> str:
    worst = max(value for key, value in apart.items() if not key.endswith("gradient"))
    steepest = max(value for key, value in apart.items() if key.endswith("gradient"))
    return (
        f"Without dropout ({name} windows) no loss differs by more than {worst:.1e} of its value; "
        f"in double precision, of {FEW} users, no gradient of one by more than {steepest:.1e} of "
        f"its tensor's largest (bound {TOLERANCE:.0e})."
    )


def main(arguments: argparse.Namespace) -> None:
    """Measure; write the results of the default sizes."""
    case = Case(
        users=arguments.users,
        items=arguments.items,
        width=arguments.width,
        heads=arguments.heads,
    )
    cases = {"published": case, "whole": replace(case, events=None)}
    found = {name: measure(cases[name], arguments.rounds) for name in arguments.only}
    print("\n".join(lines(found)), flush=True)
    if arguments == parser().parse_args([]):
        write_json(found, RESULTS)
        write_text("\n".join(lines(found)) + "\n", RESULTS.with_suffix(".md"))


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    found = argparse.ArgumentParser(description=__doc__)
    found.add_argument("--users", type=int, default=Case().users)
    found.add_argument("--items", type=int, default=Case().items)
    found.add_argument("--width", type=int, default=Case().width)
    found.add_argument("--heads", type=int, default=Case().heads)
    found.add_argument("--rounds", type=int, default=3)
    both = ["published", "whole"]
    found.add_argument("--only", nargs="+", choices=both, default=both, help="windows")
    return found


if __name__ == "__main__":
    main(parser().parse_args())
