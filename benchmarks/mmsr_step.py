"""MMSR's step from cached states against whole encoders: `python -m benchmarks.mmsr_step`.

The top two blocks of a RoBERTa-base and a CLIP ViT-B/32 of random weights are trained with merge
attention and SASRec, from float16 states of tokens, and with whole encoders that read token ids and
pixels in each step. First both forms' losses and gradients without dropout, then steps with it, in
turn in one process, and the parts of a step of ours, each by itself. The published 64 users take
minutes a step and some 40 GB where everything is kept for gradients; `--users 64` asks for them.
Then feature files of 10,000 items, and the memory of trainings on them, each in a process of its
own. Of these sizes, writes `results/mmsr_step.json` and `.md`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from math import ceil
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.mmsr_memory import TRAININGS, TrainingName, measure_files
from benchmarks.mmsr_runs import EVERY, FORMS, Form, keep_everything
from benchmarks.mmsr_table import feature_lines, step_lines
from benchmarks.mmsr_world import MODALITIES, Case, Precision, World, asked_for
from benchmarks.mmsrec_step import backward
from benchmarks.peers.machine import describe_machine
from benchmarks.rounds import Seconds, in_rounds, stopped
from benchmarks.sequence_runs import catalogue
from mmrec.io import write_json, write_text
from mmrec.models.items.tokens import TokenItemEncoder
from mmrec.nn.merge_attention import RaggedTokens
from mmrec.study.workspace import PROJECT

RESULTS = PROJECT / "benchmarks" / "results" / "mmsr_step.json"
BOUNDS: dict[Precision, float] = {"float32": 1e-5, "float16": 2e-3}
PUBLISHED_USERS = 64
MEMORY_USERS: dict[TrainingName, int] = dict(zip(TRAININGS, (4, 16, 64), strict=True))
"""Whose steps are looked at for memory: more take longer, and no more of it."""


def differences(world: World) -> dict[Precision, dict[str, float]]:
    """Loss, and how far ours is from the whole encoders', without dropout."""
    whole = _gradients(Form("whole", world, drop=False))
    return {
        precision: _apart(
            _gradients(Form("mmrec", world, drop=False, precision=precision)), whole, bound
        )
        for precision, bound in BOUNDS.items()
    }


def _gradients(form: Form) -> tuple[float, Tensor]:
    """Loss, and gradients of the trained blocks end to end."""
    loss = form.loss()
    torch.autograd.backward(loss)
    found = form.tuned()
    parts = [found[name].grad for name in sorted(found)]
    return loss.item(), torch.cat([part.flatten() for part in parts if part is not None])


def _apart(
    ours: tuple[float, Tensor], whole: tuple[float, Tensor], bound: float
) -> dict[str, float]:
    difference = ours[1] - whole[1]
    found = {
        "loss": whole[0],
        "loss_difference": abs(ours[0] - whole[0]) / abs(whole[0]),
        "gradient_difference": float(difference.norm() / whole[1].norm()),
        "largest_gradient_difference": float(difference.abs().max() / whole[1].abs().max()),
        "bound": bound,
    }
    if max(value for name, value in found.items() if name.endswith("difference")) > bound:
        raise ValueError(f"the forms differ: {found}; a comparison of times would mean nothing")
    return found


def timed(world: World, rounds: int, *, every_block: bool) -> dict[str, list[Seconds]]:
    """Seconds of a step of each form, a value a round; the first round is not counted."""
    asked = FORMS | ({EVERY: EVERY} if every_block else {})
    forms = {name: Form(form, world, drop=True) for name, form in asked.items()}
    keep_everything(forms["mmrec"])
    return in_rounds({name: partial(stopped, form.step) for name, form in forms.items()}, rounds)


def parts(world: World) -> dict[str, float]:
    """Processor seconds of the parts of a step of ours, each without the others, once warm."""
    form = Form("mmrec", world, drop=True)
    keep_everything(form)
    form.step()
    spent = {name: stopped(do)["processor"] for name, do in _parts(form, world).items()}
    spent["sequences and loss"] = max(0.0, spent.pop("all") - sum(spent.values()))
    return spent


def _parts(form: Form, world: World) -> dict[str, Callable[[], object]]:
    encoder = form.model.item_encoder
    items = (world.data.training_counts > 0).nonzero().squeeze(1)
    contents = [
        RaggedTokens(one.vectors.detach().requires_grad_(), one.counts)
        for one in (form.parts[modality](items) for modality in MODALITIES)
    ]
    return {
        "blocks and map of texts": lambda: backward(form.parts["text"](items).vectors),
        "blocks and map of pictures": lambda: backward(form.parts["image"](items).vectors),
        "merge attention": lambda: backward(encoder.get_submodule("fusion")(contents)),
        "optimiser": form.update,
        "all": form.step,
    }


def published(case: Case, spent: dict[str, list[Seconds]]) -> dict[str, Any]:
    """The batch of 64 users, what it encodes, and what encoding each of its slots would take."""
    full = replace(case, users=PUBLISHED_USERS)
    data = replace(catalogue(full.items + 1), sequences=full.sequences())
    batch, items = asked_for(full, data)
    targets = int((batch.targets > 0).sum())
    slots = PUBLISHED_USERS + 2 * targets  # a user's first item, and target and negative of each
    ratio = median(
        slow["processor"] / fast["processor"]
        for fast, slow in zip(spent["mmrec"], spent["whole"], strict=True)
    )
    tuned, merged, frozen = 2 * 2, 2, 2 * (case.layers - 2)
    ours = 3 * (tuned + merged)  # forward, and twice as much backward
    return {
        "users": PUBLISHED_USERS,
        "slots": slots,
        "distinct_items": len(items),
        "every_slot_ratio": ratio * slots / len(items),
        "passes": {
            "mmrec": ours,
            "recomputed": ours + tuned + merged,
            "whole": ours + frozen,
            "whole, every block trained": ours + 3 * frozen,
        },
    }


def measure_step(case: Case, rounds: int, *, every_block: bool) -> dict[str, Any]:
    """Everything about a step."""
    world = World.of(case)
    apart = differences(world)
    print(apart, flush=True)
    spent = timed(world, rounds, every_block=every_block)
    encoder = Form("mmrec", world, drop=True).model.item_encoder
    assert isinstance(encoder, TokenItemEncoder)
    return {
        "case": asdict(case),
        "machine": describe_machine(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "rounds": rounds,
        "distinct_items": world.distinct_items,
        "items_kept": encoder.items_kept,
        "parts_of_step": ceil(world.distinct_items / encoder.items_kept),
        "without_dropout": apart,
        "seconds": spent,
        "parts": parts(world),
        "published": published(case, spent),
        "load": os.getloadavg()[1],
    }


def main(arguments: argparse.Namespace) -> None:
    """Measure; write the results of the default sizes."""
    case = Case(users=arguments.users, items=arguments.items)
    measured: dict[str, Callable[[], dict[str, Any]]] = {
        "step": partial(measure_step, case, arguments.rounds, every_block=arguments.every_block),
        "features": partial(measure_files, case, MEMORY_USERS),
    }
    found = {name: measured[name]() for name in arguments.only}
    text = ["# MMSR: steps and features", ""]
    for name, make in {"step": step_lines, "features": feature_lines}.items():
        if name in found:
            text += [*make(found[name]), ""]
    print("\n".join(text), flush=True)
    if arguments == parser().parse_args([]):
        write_json(found, RESULTS)
        write_text("\n".join(text), RESULTS.with_suffix(".md"))


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    found = argparse.ArgumentParser(description=__doc__)
    found.add_argument("--users", type=int, default=Case().users, help="of a step that is timed")
    found.add_argument("--items", type=int, default=Case().items)
    found.add_argument("--rounds", type=int, default=3)
    both = ["step", "features"]
    found.add_argument("--only", nargs="+", choices=both, default=both)
    found.add_argument(
        "--every-block", action="store_true", help="also whole encoders that are trained as such"
    )
    return found


if __name__ == "__main__":
    main(parser().parse_args())
