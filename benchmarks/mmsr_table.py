"""What `benchmarks.mmsr_step` measured, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

KIND_NAMES = {"VmRSS": "in all", "RssAnon": "its own", "RssFile": "of mapped files"}
GIGA = 1e9


def step_lines(found: Mapping[str, Any]) -> list[str]:
    """Times of the forms, their ratios, where ours goes, and how far apart they are."""
    case, seconds = found["case"], found["seconds"]
    full = found["published"]
    return [
        "## A step from cached states",
        "",
        f"A text encoder and a picture encoder of {case['layers']} blocks, {case['width']} wide, "
        f"{case['heads']} heads, {case['tokens']} tokens a content (RoBERTa-base, CLIP ViT-B/32), "
        "random weights; the top two blocks of both are trained, with merge attention and SASRec "
        f"over them. {case['users']} users with 20 targets and a negative each, who choose among "
        f"{case['items']:,} items: a step encodes {found['distinct_items']:,} distinct ones. "
        "`whole` leads their token ids and pixels through the whole encoders, once an item, "
        "without gradients below the trained blocks. `recomputed` is what a CPU does in steps of "
        f"more than {found['items_kept']} such items, {found['parts_of_step']} parts here: what "
        "the last part needs for gradients is kept, the rest computed again. The others keep "
        f"everything. {found['machine']}, torch {found['torch']}, threads: {found['threads']}, "
        f"load {found['load']:.1f}; all in turn in one process, {found['rounds']} rounds.",
        "",
        "| form | s a step | processor s | against ours, median and range, by processor |",
        "|---|---|---|---|",
        *(_form_row(name, seconds) for name in seconds),
        "",
        "| part of ours, by itself, forward and backward | processor s |",
        "|---|---|",
        *(f"| {name} | {spent:.2f} |" for name, spent in found["parts"].items()),
        "",
        "Counted in passes of an item's tokens through one block of one encoder, a step of ours "
        f"is {full['passes']['mmrec']} ({full['passes']['recomputed']} recomputed), one of `whole` "
        f"{full['passes']['whole']}, one that trains every block "
        f"{full['passes']['whole, every block trained']}: ratios beyond "
        f"{full['passes']['whole'] / full['passes']['mmrec']:.1f} and "
        f"{full['passes']['whole, every block trained'] / full['passes']['mmrec']:.1f} are not to "
        "be had while products of matrices take the time.",
        "",
        f"Of the published {full['users']} users, {full['slots']:,} slots are "
        f"{full['distinct_items']:,} distinct items. Code that encodes every slot, as the "
        f"published one does, is estimated from the above, for it is too slow to run here: "
        f"{full['every_slot_ratio']:.1f} times ours.",
        "",
        *_same(found["without_dropout"]),
    ]


def _form_row(name: str, seconds: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    own = seconds[name]
    ratios = [
        slow["processor"] / fast["processor"]
        for fast, slow in zip(seconds["mmrec"], own, strict=False)
    ]
    against = "" if name == "mmrec" else _range(ratios)
    return f"| {name} | {_median(own, 'clock'):.1f} | {_median(own, 'processor'):.1f} | {against} |"


def _range(ratios: Sequence[float]) -> str:
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _same(without_dropout: Mapping[str, Mapping[str, float]]) -> list[str]:
    return [
        f"Dropout off, states in {precision}: loss {one['loss']:.6f}, relative difference to "
        f"`whole` {one['loss_difference']:.1e}; the trained blocks' gradients differ by "
        f"{one['gradient_difference']:.1e} of their norm, at most by "
        f"{one['largest_gradient_difference']:.1e} of the largest (bound {one['bound']:.0e})."
        for precision, one in without_dropout.items()
    ]


def feature_lines(found: Mapping[str, Any]) -> list[str]:
    """Sizes of the files, and memory by training."""
    files = found["files"]
    return [
        "## Features of token states",
        "",
        f"{found['items']:,} items with {found['tokens']} tokens of text and as many of a picture, "
        f"{found['width']} wide, in half precision: {files['bytes'] / GIGA:.2f} GB on disk "
        f"({files['bytes_of_values'] / GIGA:.2f} GB of it values, which are random here and do "
        f"not compress), and {files['bytes_of_last_blocks'] / GIGA:.2f} GB of blocks beside them. "
        f"Written in {files['write_s']:.0f} s, by way of the cache.",
        "",
        "A training by process, in MiB. Pages of mapped files are there while there is room: the "
        "system drops them when it needs some.",
        "",
        "| training | users a step | load s | s a step | doing | "
        f"{' | '.join(KIND_NAMES.values())} |",
        f"|---|---|---|---|---|{'---|' * len(KIND_NAMES)}",
        *(row for name, one in found["trainings"].items() for row in _memory_rows(name, one)),
    ]


def _memory_rows(name: str, one: Mapping[str, Any]) -> list[str]:
    rows = []
    for number, (doing, most) in enumerate(one["most_mib"].items()):
        shown = f"{name} | {one['users']} | {one['load_s']:.1f} | {one['step_s']:.1f}"
        own = "| ".join(f"{most[kind]:,.0f} " for kind in KIND_NAMES)
        rows.append(f"| {' | | | ' if number else shown} | {doing} | {own}|")
    return rows


def _median(rounds: Sequence[Mapping[str, float]], kind: str) -> float:
    return median(each[kind] for each in rounds)
