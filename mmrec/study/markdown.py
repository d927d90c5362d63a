"""Cells of a study in, its tables as Markdown out: one for each part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mmrec.evaluation.metrics import COLD_POSITION_PARTS
from mmrec.params.study import StudyParams
from mmrec.study.tables import Cells, PartSize, PartSizes, StudyCell


def study_markdown(name: str, study: StudyParams, cells: Cells, sizes: PartSizes) -> str:
    """The tables, every metric with its gain beside it."""
    lines = [f"# {name}", ""]
    for part, rows in cells.items():
        lines += [_users(study, part, sizes[part]), "", *_table(study, rows), ""]
    return "\n".join([*lines, _note(study, sizes), ""])


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


def _table(study: StudyParams, rows: Mapping[str, Mapping[str, StudyCell]]) -> Iterator[str]:
    labels = _labels(study)
    heads = ["", *labels, *(head for column in study.columns for head in (column, "gain"))]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for row, of_row in rows.items():
        found = [of_row[column] for column in study.columns]
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
