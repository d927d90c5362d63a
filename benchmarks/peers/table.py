"""Runs of all systems in, medians out: as a table and as a plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any

from benchmarks.peers.systems import SYSTEMS, System

OURS, PEERS = "#1b6ca8", "#b9bec5"
COLUMNS = (
    "model",
    "system",
    "seconds an epoch",
    "mmrec is faster by",
    "peak memory, MiB",
    "raw file to first batch",
    "users ranked a second",
)


def summarize(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Medians by the name of the system; how much faster mmrec is, as median over the rounds."""
    rows = {}
    for system in SYSTEMS:
        found = runs.get(system.name)
        if not found:
            continue
        epochs = [second for run in found for second in run["seconds_per_epoch"]]
        rows[system.name] = {
            "seconds_per_epoch": median(epochs),
            "fastest_epoch": min(epochs),
            "slowest_epoch": max(epochs),
            "epochs": len(epochs),
            "ratio": _ratio(system, runs),
            "share_of_floor": _median(run.get("share_of_floor") for run in found),
            "scaled_from_batches": found[0].get("scaled_from_batches"),
            **{name: _median(run[name] for run in found) for name in _MEDIANS},
            "versions": found[0]["versions"],
        }
    return rows


_MEDIANS = (
    "targets",
    "peak_rss_mib",
    "import_rss_mib",
    "raw_to_first_batch_s",
    "raw_to_first_batch_mib",
    "ranking_users_per_s",
    "load_before",
)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _ratio(system: System, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> float | None:
    """Side by side: each round's epoch over that of mmrec in the same round."""
    own = runs.get(f"mmrec-{system.model.lower()}")
    if not own:
        return None
    ratios: list[float] = [
        median(run["seconds_per_epoch"]) / median(ours["seconds_per_epoch"])
        for run, ours in zip(runs[system.name], own, strict=False)
    ]
    return median(ratios)


def format_table(rows: Mapping[str, Mapping[str, Any]], skipped: Mapping[str, str]) -> str:
    """Markdown: a line for each system, then what the figures are."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for system in SYSTEMS:
        if system.name in rows:
            cells = _cells(system, rows[system.name])
        elif system.name in skipped:
            cells = [system.model, system.label, f"skipped: {skipped[system.name]}", *[""] * 4]
        else:
            continue
        lines.append("| " + " | ".join(cells) + " |")
    for system in SYSTEMS:
        share = rows.get(system.name, {}).get("share_of_floor")
        if share:
            lines += [
                "",
                f"The products with the item table and a fused softmax alone take {share:.0%} "
                f"of the time of mmrec's {system.model} epoch.",
            ]
    return "\n".join(lines) + "\n"


def _cells(system: System, row: Mapping[str, Any]) -> list[str]:
    bold = "**" if system.peer is None else ""
    scaled = row["scaled_from_batches"]
    note = f" (scaled from {scaled} batches)" if scaled else ""
    ranked = row["ranking_users_per_s"]
    ratio = "" if system.peer is None or row["ratio"] is None else f"{row['ratio']:.1f} ×"
    return [
        system.model,
        f"{bold}{system.label}{bold}",
        f"{bold}{row['seconds_per_epoch']:.1f}{bold}{note}",
        ratio,
        f"{row['peak_rss_mib']:,.0f}",
        f"{row['raw_to_first_batch_s']:.1f} s, {row['raw_to_first_batch_mib']:.0f} MiB",
        "as below" if ranked is None else f"{ranked:,.0f}",
    ]


def draw(rows: Mapping[str, Mapping[str, Any]], title: str, file: Path) -> None:
    """Bars of epoch times by model, and of peak memory."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    shown = [system for system in SYSTEMS if system.name in rows]
    models = list(dict.fromkeys(system.model for system in shown))
    heights = [sum(system.model == model for system in shown) for model in models]
    figure, axes = plt.subplots(
        len(models),
        2,
        figsize=(10, 1.4 + 0.5 * len(shown)),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    for line, model in zip(axes, models, strict=True):
        systems = [system for system in reversed(shown) if system.model == model]
        for axis, (value, unit) in zip(
            line, (("seconds_per_epoch", "s"), ("peak_rss_mib", "MiB")), strict=True
        ):
            _bars(axis, systems, [rows[system.name][value] for system in systems], unit)
        line[0].set_title(f"{model}: an epoch", loc="left", fontsize=11)
        line[1].set_title(f"{model}: peak memory", loc="left", fontsize=11)
        line[1].set_yticks([])
    figure.suptitle(fill(title, 120), fontsize=9, color="#555555", x=0.01, ha="left")
    figure.savefig(file, dpi=110, facecolor="white", metadata={"Software": None})
    plt.close(figure)


def _bars(axis: Any, systems: Sequence[System], values: Sequence[float], unit: str) -> None:
    colors = [OURS if system.peer is None else PEERS for system in systems]
    bars = axis.barh([system.label for system in systems], values, color=colors)
    text = [f"{value:,.0f} {unit}" for value in values]
    axis.bar_label(bars, text, padding=4, fontsize=9)
    axis.set_xlim(0, max(values) * 1.2)
    axis.set_xticks([])
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.tick_params(left=False)
