"""What `benchmarks.large_catalogue` measured, as JSON and as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PARTS = ("batches", "forward", "backward", "optimiser")


def write(found: Mapping[str, Mapping[str, Any]], results: Path) -> None:
    """Write `<results>.json` and `<results>.md` of all that is measured so far."""
    results.parent.mkdir(exist_ok=True)
    results.with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")
    results.with_suffix(".md").write_text("\n".join(lines(found)) + "\n")


def lines(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A row per training, then the ratios; a cut epoch is called one."""
    header = [
        *("", "model, loss", "items", "interactions", "steps", "epoch s", *PARTS),
        *("peak RSS MiB", "ranking users/s", "load"),
    ]
    text = [_row(header), _row(["---"] * len(header))]
    text += [_row(_cells(name, one)) for name, one in found.items()]
    notes = [
        f"**{name}: the epoch was cut off after {one['steps']} of {one['steps_of_epoch']} steps; "
        f"as many more at this pace take {_whole(one):,.0f} s in all, extrapolated.**"
        for name, one in found.items()
        if one["steps"] < one["steps_of_epoch"]
    ]
    notes += [
        f"{name}: {_ratio(found, name, 'epoch_seconds'):.2f} x the time, "
        f"{_ratio(found, name, 'peak_rss_mib'):.2f} x the memory of the base runs before and after"
        for name in list(found)[:-1]
        if name.endswith("x10")
    ]
    return [*text, "", *(f"- {note}" for note in notes)]


def _ratio(found: Mapping[str, Mapping[str, Any]], name: str, value: str) -> float:
    """To the mean of the runs before and after: machines are not always equally fast."""
    names = list(found)
    place = names.index(name)
    before, one, after = (found[other][value] for other in names[place - 1 : place + 2])
    return float(2 * one / (before + after))


def _whole(one: Mapping[str, Any]) -> float:
    return float(one["epoch_seconds"] * one["steps_of_epoch"] / one["steps"])


def _cells(name: str, one: Mapping[str, Any]) -> list[str]:
    total = one["epoch_seconds"]
    shares = [f"{one['seconds_of'][part] / total:.0%}" for part in PARTS]
    return [
        *(name, f"{one['model']}, {one['loss']}", f"{one['num_items']:,}"),
        *(f"{one['interactions']:,}", f"{one['steps']} of {one['steps_of_epoch']}"),
        *(f"{total:.1f}", *shares, f"{one['peak_rss_mib']:,.0f}"),
        *(f"{one['validation_users'] / one['validation_seconds']:.1f}", f"{one['load']:.1f}"),
    ]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
