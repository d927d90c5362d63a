"""What was trained on each dataset, pre-trainings and runs: curves and a table of the former."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmrec.report.curves import loss_plots, training_plots
from mmrec.report.identities import NONE, epochs, feature, shortfall
from mmrec.report.plots import Plot, Style, styles
from mmrec.report.runs import PretrainingReport, RunReport


@dataclass(frozen=True)
class Pretrained:
    """A pre-training in words; what it has none of is a dash."""

    name: str
    model: str
    text: str
    image: str
    seed: int
    epochs: str
    shortfall: str
    runs: str


@dataclass(frozen=True)
class Trainings:
    """Trainings on one dataset; a run that starts elsewhere is with its own dataset alone."""

    dataset: str
    has_users: bool
    pretrained: Sequence[Pretrained]
    looks: Mapping[str, Style]
    plots: Sequence[Plot]
    losses: Mapping[str, Sequence[Plot]]


def trainings(
    pretrainings: Sequence[PretrainingReport], runs: Sequence[RunReport]
) -> list[Trainings]:
    """A group for each dataset, those with runs first; a name is drawn in one style."""
    names = dict.fromkeys([*(run.dataset for run in runs), *(one.dataset for one in pretrainings)])
    return [
        _on_dataset(
            name,
            [one for one in pretrainings if one.dataset == name],
            [run for run in runs if run.dataset == name],
            runs,
        )
        for name in names
    ]


def _on_dataset(
    dataset: str,
    pretrainings: Sequence[PretrainingReport],
    runs: Sequence[RunReport],
    everywhere: Sequence[RunReport],
) -> Trainings:
    names = [*(run.name for run in runs), *(one.name for one in pretrainings)]
    looks = styles([*dict.fromkeys(names)])
    losses: dict[str, list[Plot]] = {}
    phases = {
        "pre-training": [(one.name, one.history) for one in pretrainings],
        "fine-tuning": [(run.name, run.finetuning) for run in runs],
    }
    for phase, histories in phases.items():
        for name, history in histories:
            losses.setdefault(name, []).extend(loss_plots(name, phase, history, looks))
    return Trainings(
        dataset=dataset,
        has_users=all(one.has_users for one in pretrainings),
        pretrained=[_in_words(one, everywhere) for one in pretrainings],
        looks=looks,
        plots=[
            plot
            for phase, histories in phases.items()
            for plot in training_plots(dataset, phase, histories, looks)
        ],
        losses={name: plots for name, plots in losses.items() if plots},
    )


def _in_words(one: PretrainingReport, runs: Sequence[RunReport]) -> Pretrained:
    started = [run.name for run in runs if run.pretraining and run.pretraining.name == one.name]
    return Pretrained(
        name=one.name,
        model=one.model,
        text=feature(one.text),
        image=feature(one.image),
        seed=one.seed,
        epochs=epochs(one.history, one.metric),
        shortfall=shortfall(one.history, one.metric),
        runs=", ".join(started) or NONE,
    )
