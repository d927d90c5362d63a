"""What `benchmarks.mmsrec_step` measured, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

PARTS = {
    "projection": ("projection", None),
    "item tower": ("projection, item tower", "projection"),
    "sequences": ("projection, item tower, sequences", "projection, item tower"),
    "loss": ("loss", None),
    "optimiser": ("optimiser", None),
}
"""What each took, and what it took without."""


def lines(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A part for each share of items with pictures."""
    text = ["# MMSRec: a step of fine-tuning", ""]
    for share, one in found.items():
        text += [f"## {_what(float(share))}", "", *_case(one)]
    return text


def _what(pictures: float) -> str:
    if pictures == 0:
        return "Texts alone"
    return f"Texts, and pictures of {pictures:.0%} of the items"


def _case(one: Mapping[str, Any]) -> list[str]:
    seconds, memory, same = one["seconds"], one["memory"], one["without_dropout"]
    rows = [
        f"| {name} | {_median(seconds[name], 'clock'):.1f} "
        f"| {_median(seconds[name], 'processor'):.1f} "
        f"| {memory[name]['loaded_mib']:,.0f} | {memory[name]['peak_mib']:,.0f} |"
        for name in seconds
    ]
    fast, slow = seconds["mmrec"], seconds["straightforward"]
    ratios = [
        f"{median(each):.1f} ({min(each):.1f} to {max(each):.1f}) by {kind}"
        for kind in ("clock", "processor")
        if (each := [b[kind] / a[kind] for a, b in zip(fast, slow, strict=True)])
    ]
    return [
        f"{one['users']:,} users, {one['items']:,} items, {one['batch_size']:,} prefixes a batch, "
        f"{one['embedding_dim']} wide. {one['machine']}, torch {one['torch']}, threads: "
        f"{one['threads']}, load {one['load']:.1f}. Both in turn in one process, {len(slow)} "
        "rounds; processor seconds hardly depend on what else the machine does.",
        "",
        "| form | s a step | processor s | MiB before training | at most |",
        "|---|---|---|---|---|",
        *rows,
        "",
        f"Ratio, median and range of the rounds: {', '.join(ratios)}.",
        "",
        "| part of ours, by itself, forward and backward | processor s |",
        "|---|---|",
        *(f"| {name} | {_part(one['parts'], name):.2f} |" for name in PARTS),
        "",
        f"Dropout off, in double precision: loss {same['loss']:.6f}, difference "
        f"{same['loss_difference']:.1e}; largest difference of a gradient "
        f"{same['largest_gradient_difference']:.1e} of its largest value.",
        "",
    ]


def _part(parts: Mapping[str, Sequence[Mapping[str, float]]], name: str) -> float:
    whole, without = PARTS[name]
    less = _median(parts[without], "processor") if without else 0.0
    return _median(parts[whole], "processor") - less


def _median(rounds: Sequence[Mapping[str, float]], kind: str) -> float:
    return median(each[kind] for each in rounds)
