"""Cells of a study in, its tables as Markdown out: one for each part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mmrec.evaluation.lists import is_list_metric
from mmrec.evaluation.metrics import COLD_POSITION_PARTS
from mmrec.params.study import StudyParams
from mmrec.report.ordering import ordering
from mmrec.study.tables import Cells, PartSize, PartSizes, StudyCell

_SEEN: Final = {
    True: "What a user has seen is no candidate.",
    False: "What a user has seen competes.",
    "zero": "What a user has seen competes, each with the score 0.",
}


def study_markdown(
    name: str,
    study: StudyParams,
    cells: Cells,
    sizes: PartSizes,
    protocols: Mapping[str, Mapping[str, Any]],
) -> str:
    """The tables, every metric with its gain beside it.

    Args:
        name: of the study.
        study: its rows and columns.
        cells: of the tables.
        sizes: of the parts.
        protocols: of each dataset, as `all_metrics.json` has it.
    """
    lines = [f"# {name}", "", *_protocols(protocols)]
    for part, rows in cells.items():
        lines += [_users(study, part, sizes[part]), "", *_table(study, part, rows), ""]
    return "\n".join([*lines, _note(study, sizes), ""])


def _protocols(protocols: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line for each dataset: how it was split and ordered, and what competes."""
    for dataset, protocol in protocols.items():
        told = ordering(protocol)
        named = f"{dataset}: " if len(protocols) > 1 else ""
        yield from (f"{named}{told.split} {told.order} {_SEEN[protocol['mask_history']]}", "")


def weights_markdown(study: StudyParams, weights: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """What validation found for the ensembles; empty where there are none."""
    if not weights:
        return ""
    lines = ["Weights of the ensembles, found on validation, by seed:", ""]
    for row, found in weights.items():
        for place, part in enumerate(study.ensembles[row].ensemble):
            values = [_weight(one["weights"], place) for one in found]
            lines.append(f"- {row}, {part}: {', '.join(values)}")
    return "\n".join([*lines, ""])


def _weight(groups: Sequence[Sequence[Sequence[float]]], place: int) -> str:
    """Of a part; of weights by group the least and the most."""
    values = [parts[place] for of_history in groups for parts in of_history]
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if len(values) == 1 else f"{low}–{high}"


def part_label(study: StudyParams, part: str) -> str:
    """What a part is of, such as `cold targets`, or `cold positions (heldout)`."""
    if part not in COLD_POSITION_PARTS:
        return f"{part} targets"
    which = {
        "cold_positions": "",
        "cold_positions_few": " with few training interactions",
        "cold_positions_new": " with none",
    }
    return f"cold positions ({study.cold_positions}){which[part]}"


def _users(study: StudyParams, part: str, sizes: Mapping[str, PartSize]) -> str:
    counts = [
        f"{size}" + (f" of {dataset}" if len(sizes) > 1 else "") for dataset, size in sizes.items()
    ]
    seeds = ", ".join(map(str, study.seeds))
    return f"{', '.join(counts)}, {part_label(study, part)}; seeds {seeds}:"


def _table(
    study: StudyParams, part: str, rows: Mapping[str, Mapping[str, StudyCell]]
) -> Iterator[str]:
    # Lists are of all users together.
    columns = [one for one in study.columns if part == "all" or not is_list_metric(one)]
    labels = _labels(study)
    heads = ["", *labels, *(head for column in columns for head in (column, "gain"))]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for row, of_row in rows.items():
        found = [of_row[column] for column in columns]
        figures = [text for cell in found for text in (str(cell), cell.percent)]
        yield f"| {' | '.join([row, *(of[row] for of in labels.values()), *figures])} |"


def _labels(study: StudyParams) -> dict[str, dict[str, str]]:
    """What the rows differ in besides their names: dataset, and the row that they stand against."""
    compared = study.comparisons()
    labels = {}
    if len({*map(study.dataset_of, study.rows)}) > 1:
        labels["dataset"] = {row: study.dataset_of(row) for row in study.rows}
    if len({*compared.values()}) > 1:
        labels["against"] = {row: compared.get(row, "") for row in study.rows}
    return labels


def _note(study: StudyParams, sizes: PartSizes) -> str:
    others = {*study.comparisons().values()}
    note = "Mean ± standard deviation over the seeds."
    if not others:
        return note
    against = "the row that is named" if len(others) > 1 else others.pop()
    return (
        f"{note} Gains and stars: against {against}; gains of the means, stars of a paired t-test "
        f"over users of their means over the seeds{_whole_users(sizes)}, p < .05 (\\*), .01 "
        "(\\*\\*), .001 (\\*\\*\\*), not corrected for the number of rows; †: p < .05 after Holm's "
        "correction for the rows that a column compares."
    )


def _whole_users(sizes: PartSizes) -> str:
    """What the tests say of users with several samples."""
    units = {size.unit for of_part in sizes.values() for size in of_part.values()}
    return " (each with all of its samples)" if "sample" in units else ""
