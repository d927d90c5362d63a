"""What is known of a run in, its model card out: Markdown with a YAML head.

The shape is that of a model card on the Hugging Face hub. Equal facts give equal text: no times of
day, and nothing of the machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from mmrec.evaluation.metrics import nearest_metrics
from mmrec.report.identities import epochs, shortfall
from mmrec.report.ordering import ordering
from mmrec.report.runs import RunReport
from mmrec.report.tables import PARTS, metric_label, metric_values, size_and_unit

_CUTOFFS = (10, 20)
_MASKED = {
    True: "without those of the user's history",
    False: "those of the user's history among them",
    "zero": "those of the user's history with a score of 0",
}
_HEAD_END = "# license: say here under which licence you give it away\n---"


class Content(NamedTuple):
    """A feature that a run reads, and what made it."""

    feature: str
    modality: str
    extractor: str
    """Its kind, and the weights that it was loaded with; empty where no extractor made it."""
    stores: Sequence[str]
    """Folders of the feature cache that hold it, named by the extractor's fingerprint."""
    knockout: str = ""
    """What it is deprived of."""


class CatalogueCounts(NamedTuple):
    """Of the items that a model knows."""

    items: int
    cold: int
    interactions: int


@dataclass(frozen=True)
class CardFacts:
    """What a card says.

    Attributes:
        run: settings, histories and metrics; these are empty where it was not evaluated.
        kind: name of the model in the registry.
        source: kind of the dataset's.
        cold_threshold: of the dataset: a cold item has fewer interactions in training.
        set_apart: settings that are not the defaults.
        contents: what it reads of items.
        by_id: whether it has weights for each single item.
        loading: lines that open it, and what they are of.
        versions: of packages by name.
        counts: of the catalogue, where they are known.
        max_epochs: of its training; None where it has none.
        keep: which epoch's weights these are: `best` or `last`.
    """

    run: RunReport
    kind: str
    source: str
    cold_threshold: int
    set_apart: Mapping[str, Any]
    contents: Sequence[Content]
    by_id: bool
    loading: Sequence[str]
    versions: Mapping[str, str]
    counts: CatalogueCounts | None = None
    max_epochs: int | None = None
    keep: str = "best"


def model_card(facts: CardFacts) -> str:
    """The card."""
    run = facts.run
    sections = {
        "Trained on": _trained_on(facts),
        "What it reads of items": _contents(facts),
        "Settings": _settings(facts),
        "Training": _training(facts),
        "Evaluation": _evaluation(facts),
        "Use": _use(facts),
        "Load it": facts.loading,
        "Licence": ["None is stated: whoever gives it away adds one here and in the head."],
        "Versions": [f"- {name} {version}" for name, version in facts.versions.items()],
    }
    lines = [
        _head(facts),
        "",
        f"# {run.name}",
        "",
        f"A sequential recommender (`{facts.kind}`), trained with mmrec on the dataset"
        f" `{run.dataset}`: after a history of items, oldest first, it scores every item of its"
        " catalogue.",
    ]
    for title, content in sections.items():
        lines += ["", f"## {title}", "", *content]
    return "\n".join(lines) + "\n"


def _head(facts: CardFacts) -> str:
    """YAML between two lines of dashes, with the results where there are any."""
    run = facts.run
    told: dict[str, Any] = {
        "library_name": "mmrec",
        "tags": ["recommendation", "sequential-recommendation", facts.kind],
    }
    if run.metrics:
        names = _columns(run)
        told["metrics"] = [*dict.fromkeys(name.partition("@")[0] for name in names)]
        of_all = run.metrics["all"]
        told["model-index"] = [
            {
                "name": run.name,
                "results": [
                    {
                        "task": {"type": "recommendation", "name": "Sequential recommendation"},
                        "dataset": {"type": run.dataset, "name": run.dataset},
                        "metrics": [
                            {"type": name, "name": metric_label(name), "value": of_all[name]}
                            for name in names
                            if of_all[name] is not None
                        ],
                    }
                ],
            }
        ]
    yaml, text = YAML(), StringIO()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(told, text)
    return f"---\n{text.getvalue()}{_HEAD_END}"


def _trained_on(facts: CardFacts) -> Iterator[str]:
    yield f"- the dataset `{facts.run.dataset}`, whose source is `{facts.source}`"
    if facts.counts:
        items, cold, interactions = facts.counts
        yield f"- {interactions:,} interactions, with {items:,} items, {cold:,} of them cold"
    start = facts.run.pretraining
    if start is not None:
        reads = f"text `{start.text}`, image `{start.image}`"
        yield (
            f"- before that, the pre-training `{start.name}`, which it starts from: `{start.model}`"
            f" on `{start.dataset}`, {reads}, seed {start.seed};"
            f" {epochs(start.history, start.metric)}"
        )


def _contents(facts: CardFacts) -> Iterator[str]:
    if not facts.contents:
        yield "Nothing of their content: it knows them by who chose them alone."
        return
    yield "| feature | as | made by | fingerprint |"
    yield "|---|---|---|---|"
    for one in facts.contents:
        made_by = one.extractor or "the words of the items' texts"
        deprived = f"; knocked out: {one.knockout}" if one.knockout else ""
        stores = ", ".join(f"`{name}`" for name in one.stores) or "–"
        yield f"| `{one.feature}` | {one.modality} | {made_by}{deprived} | {stores} |"


def _settings(facts: CardFacts) -> Iterator[str]:
    yield (
        "What is set apart from mmrec's defaults, which are the published settings but where its"
        " documentation says otherwise:"
    )
    yield ""
    yield from ["```json", json.dumps(facts.set_apart, indent=2, ensure_ascii=False), "```"]


def _training(facts: CardFacts) -> Iterator[str]:
    run = facts.run
    if facts.max_epochs is None:
        yield "It has no training of its own: it is counted or computed from what it is given."
        return
    told = epochs(run.finetuning, run.finetune_metric)
    yield f"- {told}, of at most {facts.max_epochs}; weights of the {facts.keep} epoch are kept"
    if short := shortfall(run.finetuning, run.finetune_metric):
        yield f"- even its best epoch is {short}"
    yield f"- best is what {metric_label(run.finetune_metric)} on validation items says"
    yield f"- seed {run.seed}"


def _evaluation(facts: CardFacts) -> Iterator[str]:
    run = facts.run
    if not run.metrics:
        yield "It was not evaluated."
        return
    protocol = run.metrics["protocol"]
    told = ordering(protocol)
    yield f"{told.split} {told.order}" + (f" {told.warning}" if told.warning else "")
    yield ""
    masked = _MASKED[protocol["mask_history"]]
    yield (
        f"Full ranking: each held-out item competes with all items of the catalogue, {masked}; ties"
        " count against the model. A cold target has fewer interactions in training than"
        f" {facts.cold_threshold}, a new one has none."
    )
    yield ""
    names = _columns(run)
    yield f"| targets | ranked | {' | '.join(map(metric_label, names))} |"
    yield "|---" * (len(names) + 2) + "|"
    for part, label in PARTS.items():
        if found := run.metrics.get(part):
            values, (size, unit) = metric_values(found), size_and_unit(found)
            cells = (f"{values[name]:.4f}" if name in values else "–" for name in names)
            yield f"| {label} | {size:,} {unit}s | {' | '.join(cells)} |"


def _columns(run: RunReport) -> list[str]:
    return [*nearest_metrics(run.metrics["all"], _CUTOFFS), "mrr"]


def _use(facts: CardFacts) -> Iterator[str]:
    yield "- Meant for: ranking this catalogue for anybody whose history of its items is known."
    yield "- A history has at least one item of the catalogue; somebody without any gets no answer."
    if facts.contents and not facts.by_id:
        yield (
            "- New items: it knows items by their content alone. In its project, items that it was"
            " not trained with are ranked, too: `open_run(…, new_items=…)`."
        )
    else:
        why = "weights for each item that it was trained with" if facts.by_id else "no content"
        yield f"- New items: cannot be ranked; it has {why}."
    yield (
        "- Scores order the items of one list. They are no probabilities, and mean nothing between"
        " models."
    )
    yield "- It learned from what was chosen before, and repeats what is one-sided about that."
