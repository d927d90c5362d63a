"""What cleaning left of a dataset, step by step: summary.json in, words and figures out.

A step, reason or count that has no words here is shown by its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmrec.report.ordering import order_in_words

_KINDS = {
    "users": "users",
    "items": "items",
    "interactions": "interactions",
    "sentences": "sentences",
    "images": "pictures",
}
_STEPS = {
    "raw": "reading the source",
    "interactions": "dropping interactions that cannot be used",
    "duplicates": "dropping duplicates",
    "core": "dropping users and items with few interactions",
    "items": "dropping items without interactions",
    "sentences": "splitting texts into sentences",
    "images": "decoding pictures",
}
_REASONS = {
    "empty_id": "with an empty id",
    "unknown_item": "not in the catalogue",
    "missing_timestamp": "without a timestamp",
    "negative_timestamp": "with a negative timestamp",
    "rating_not_finite": "with a rating that is not finite",
    "missing_rating": "without a rating",
    "low_rating": "rated below clean.min_rating",
    "duplicate_keep_last": "repeated by the same user, the last one kept",
    "duplicate_keep_first": "repeated by the same user, the first one kept",
    "user_core": "below clean.user_core",
    "item_core": "below clean.item_core",
    "no_interactions": "without interactions",
    "no_word": "without a word",
    "over_max_sentences": "beyond clean.max_sentences",
    "over_max_images": "beyond clean.max_images",
    "missing_file": "whose file is missing",
    "not_a_regular_file": "whose file is a pipe, a device or a folder",
    "link_outside_folder": "linked to a file outside the dataset's folder",
    "outside_folder": "named outside the dataset's folder",
    "file_too_large": "whose file is too large",
    "empty_file": "whose file is empty",
    "not_an_image": "that are none",
    "damaged_image": "damaged",
    "too_many_pixels": "with too many pixels",
    "item_without_id": "items without an id",
    "picture_of_no_item": "pictures of no item",
    "metadata_row_repeated": "repeated rows of metadata",
    "metadata_of_no_item": "rows of metadata of no item",
    "file_with_other_ending": "files that are not pictures by name",
    "picture_in_wrong_folder": "pictures in the wrong folder",
    "picture_without_link": "pictures without a link",
    "picture_repeated": "links repeated by the same item",
    "no_cover": "items without a cover",
    "item_repeated": "repeated items",
    "title_is_page_code": "titles that are a piece of a page's code",
    "details_unreadable": "details that are no object",
    "detail_is_table": "details that are tables",
    "detail_is_item_id": "details that repeat the item's id",
    "genres_repeated": "repeated rows of genres",
    "genres_of_no_item": "rows of genres of no item",
}
_COUNTED = (
    {
        "items_without_text": "items without text",
        "items_without_image": "without pictures",
        "items_without_both": "of them without either",
    },
    {
        "cold_items": "cold items",
        "new_items": "of them new, without a training interaction",
        "items_without_interaction": "without any, candidates of every ranking all the same",
    },
    {
        "users_evaluated": "users evaluated",
        "users_evaluated_tied": "of them ({share:.0%}) with a test item at the same time as another"
        " of theirs, which stand in the order of {order}",
        "users_with_one_interaction": "with a single interaction",
        "users_without_history": "not evaluated, with nothing before the test begins",
    },
    {
        "items_tested": "held-out items of the test",
        "new_items_tested": "of them ({share:.0%}) without a training interaction, candidates and"
        " targets all the same",
    },
)
"""Counts that are told together; `share` is that of the first of them."""
_NOT_TAKEN = "not taken from the source"


@dataclass(frozen=True)
class Dropped:
    """What went in one step, in one unit: how many for which reason."""

    unit: str
    reasons: Sequence[tuple[int, str]]


@dataclass(frozen=True)
class CleaningStep:
    """One step: how much is left after it, and what went."""

    name: str
    counts: Mapping[str, int]
    dropped: Sequence[Dropped]


@dataclass(frozen=True)
class DatasetReport:
    """What the page says of one dataset; `counted` are phrases on what is left, by topic."""

    name: str
    steps: Sequence[CleaningStep]
    counted: Sequence[Sequence[tuple[int, str]]]


def dataset_report(name: str, summary: Mapping[str, Any]) -> DatasetReport:
    """The account of a cleaning, from clean/summary.json."""
    steps = [
        CleaningStep(
            _label(_STEPS, step["step"]),
            {label: step[kind] for kind, label in _KINDS.items() if step.get(kind) is not None},
            _dropped(step),
        )
        for step in summary.get("steps", [])
    ]
    order = order_in_words(summary.get("protocol", {}))
    return DatasetReport(name, steps, _counted(summary.get("counted", {}), order))


def _dropped(step: Mapping[str, Any]) -> list[Dropped]:
    """Reasons under `dropped` in the step's unit, under `dropped_<unit>`, and under `skipped`."""
    groups = {step.get("dropped_unit", "rows"): step.get("dropped", {})}
    for key, value in step.items():
        if key.startswith("dropped_") and isinstance(value, Mapping):
            groups[key.removeprefix("dropped_")] = value
    groups[_NOT_TAKEN] = step.get("skipped", {})
    return [
        Dropped(
            _label(_KINDS, unit),
            [(count, _label(_REASONS, reason)) for reason, count in reasons.items() if count],
        )
        for unit, reasons in groups.items()
        if any(reasons.values())
    ]


def _counted(counts: Mapping[str, int], order: str) -> list[list[tuple[int, str]]]:
    topics = [
        [
            (
                counts[key],
                label.format(
                    share=counts[key] / max(1, counts.get(next(iter(topic)), 0)), order=order
                ),
            )
            for key, label in topic.items()
            if key in counts
        ]
        for topic in _COUNTED
    ]
    told = {key for topic in _COUNTED for key in topic}
    topics.append([(counts[key], _label({}, key)) for key in sorted(counts.keys() - told)])
    return [topic for topic in topics if topic]


def _label(labels: Mapping[str, str], key: str) -> str:
    return labels.get(key, key.replace("_", " "))
