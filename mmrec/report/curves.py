"""Which curves the page draws: runs in, plots and their legend out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmrec.evaluation.metrics import VALIDATION_LOSS, is_metric, is_reference
from mmrec.report.plots import Curve, Plot, Style, line_plot
from mmrec.report.runs import History, RunReport
from mmrec.report.tables import (
    comparison_rows,
    headline_metrics,
    metric_label,
    metric_order,
    metric_values,
    shortest_history,
    size_and_unit,
)

_CLOCK = ("epoch", "learning_rate")


def training_plots(
    dataset: str,
    phase: str,
    histories: Sequence[tuple[str, History]],
    looks: Mapping[str, Style],
) -> list[Plot]:
    """Loss and validation metric over epochs, all trainings on a dataset in one drawing each.

    Args:
        dataset: On which they were trained.
        phase: In words: pre-training, say.
        histories: With the names of what was trained; empty ones are left out.
        looks: Styles by name.
    """
    trained = [(name, history) for name, history in histories if history]
    if not trained:
        return []
    plots = [_over_epochs(f"{dataset}: loss in {phase}", trained, "loss", "loss", looks)]
    if any(VALIDATION_LOSS in history for _, history in trained):
        title = f"{dataset}: validation loss in {phase}"
        plots.append(_over_epochs(title, trained, VALIDATION_LOSS, "loss", looks))
    for metric in _watched(trained):
        label = metric_label(metric)
        title = f"{dataset}: validation {label} in {phase}"
        plots.append(_over_epochs(title, trained, metric, label, looks))
    return plots


def loss_plots(
    trained: str, phase: str, history: History, looks: Mapping[str, Style]
) -> list[Plot]:
    """Single losses of a training, where there is more than one."""
    names = loss_names(history)
    if len(names) < 2:
        return []
    return [
        _over_epochs(f"{trained}: {name} in {phase}", [(trained, history)], name, name, looks)
        for name in names
    ]


def history_length_plots(runs: Sequence[RunReport], looks: Mapping[str, Style]) -> list[Plot]:
    """Headline metrics by number of items a user had before the held-out one."""
    groups = [run.metrics.get("history_length", {}) for run in runs]
    names = sorted({name for group in groups for name in group}, key=shortest_history)
    if len(names) < 2:
        return []
    sizes = {name: max(size_and_unit(group.get(name, {})) for group in groups) for name in names}
    ticks = [f"{name}\n({size:,})" for name, (size, _) in sizes.items()]
    unit = sizes[names[0]][1]
    plots = []
    for metric in headline_metrics(comparison_rows(runs)):
        curves = []
        for run, group in zip(runs, groups, strict=True):
            values = [metric_values(group.get(name, {})).get(metric) for name in names]
            points = [(x, y) for x, y in enumerate(values) if y is not None]
            if points:
                curves.append(Curve(run.name, [x for x, _ in points], [y for _, y in points]))
        plots.append(
            line_plot(
                f"{runs[0].dataset}: {metric_label(metric)} by history length",
                curves,
                looks,
                x_label=f"items in the history ({unit}s)",
                y_label=metric_label(metric),
                ticks=ticks,
            )
        )
    return plots


def loss_names(history: History) -> list[str]:
    """Columns of a history that are single losses."""
    others = (*_CLOCK, "loss", VALIDATION_LOSS)
    return [
        name
        for name in history
        if name not in others and not is_metric(name) and not is_reference(name)
    ]


def _watched(trained: Sequence[tuple[str, History]]) -> list[str]:
    """The validation metric that most runs have, that with the usual cut-off among equals."""
    counts: dict[str, int] = {}
    for _, history in trained:
        for name in history:
            if is_metric(name):
                counts[name] = counts.get(name, 0) + 1
    usual = {"recall@20": 1, "recall@10": 0.5}
    key = {name: counts[name] + usual.get(name, 0) / 2 for name in metric_order(counts)}
    return [max(key, key=lambda name: key[name])] if key else []


def _over_epochs(
    title: str,
    trained: Sequence[tuple[str, History]],
    column: str,
    label: str,
    looks: Mapping[str, Style],
) -> Plot:
    curves = [
        Curve(name, history["epoch"], history[column])
        for name, history in trained
        if column in history and "epoch" in history
    ]
    best = is_metric(column)
    return line_plot(title, curves, looks, x_label="epoch", y_label=label, mark_best=best)
