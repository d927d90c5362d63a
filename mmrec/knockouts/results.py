"""Ranks of a run and of its knock-outs in; tables, tests and sentences out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from mmrec.compare.table import CompareTable, compare_table
from mmrec.evaluation.comparison import require_same_samples, sorted_samples
from mmrec.evaluation.metrics import part_members
from mmrec.knockouts.arms import arms_of
from mmrec.knockouts.sentences import sentences
from mmrec.params.pipeline import Params
from mmrec.params.run_settings import run_settings
from mmrec.params.study import StudyParams
from mmrec.report.tables import metric_label, part_name

_FEW_SEEDS: Final = 3
_SENTENCES_ON: Final = ("all", "cold")


def knockout_results(
    params: Params, study: StudyParams, ranks: Mapping[str, Sequence[pa.Table]]
) -> dict[str, Any]:
    """What is kept of the knock-outs of a run, as JSON.

    Args:
        params: of the project.
        study: of the run, which is its reference.
        ranks: `RANKS` of each row, one of each seed.

    Raises:
        DataError: they are not over the same users and targets.
    """
    run = study.reference
    tables = {row: [*map(sorted_samples, of_row)] for row, of_row in ranks.items()}
    for table in (table for of_row in tables.values() for table in of_row):
        require_same_samples(tables[run][0], table)
    parts = [_of_part(params, study, part, tables) for part in study.parts]
    return {
        "run": run,
        "seeds": study.seeds,
        "settings": run_settings(params, run),
        "parts": [found for found in parts if found],
    }


def knockout_markdown(results: Mapping[str, Any]) -> str:
    """The same to read."""
    run, seeds = results["run"], results["seeds"]
    lines = [
        f"# Knock-outs of {run}",
        "",
        f"Seeds {', '.join(map(str, seeds))}. {_note(seeds)}",
        "",
    ]
    for found in results["parts"]:
        lines += [f"## {part_name(found['part'])}: {found['size']:,} {found['unit']}s", ""]
        lines += [*(f"- {sentence}" for sentence in found["sentences"])]
        lines += ["", *_table(run, found), ""]
    return "\n".join(lines)


def _of_part(
    params: Params, study: StudyParams, part: str, tables: Mapping[str, Sequence[pa.Table]]
) -> dict[str, Any]:
    """Of a part; empty where fewer than two users are in it."""
    run, metric = study.reference, study.columns[0]
    first = tables[run][0]
    users = first["user_index"].to_numpy()[part_members(first, part)]
    if len({*users.tolist()}) < 2:
        return {}
    found = compare_table(tables, dataset=study.dataset, metric=metric, part=part, reference=run)
    return {**_figures(found), "sentences": _sentences(params, found)}


def _sentences(params: Params, found: CompareTable) -> list[str]:
    if found.part not in _SENTENCES_ON:
        return []
    arms = arms_of(params.runs[found.reference])
    return sentences(found.reference, metric_label(found.metric), arms, found.rows)


def _figures(found: CompareTable) -> dict[str, Any]:
    return {
        "part": found.part,
        "metric": metric_label(found.metric),
        "size": found.size,
        "unit": found.unit,
        # A list: JSON that is written with sorted keys keeps its order alone.
        "rows": [{"row": name, **row.as_json()} for name, row in found.rows.items()],
    }


def _note(seeds: Sequence[int]) -> str:
    note = (
        "Differences from the run; 95 % intervals from resampled users, p of paired t-tests over "
        "users by Holm's correction for all rows of a table, d is Cohen's."
    )
    if len(seeds) < _FEW_SEEDS:
        note += (
            " With fewer than three seeds, how far a training moves from seed to seed is not in "
            "these tests: take more (--seeds) before a small difference is believed."
        )
    return note


def _table(run: str, found: Mapping[str, Any]) -> list[str]:
    heads = ["", found["metric"], "difference", "95 % interval", "p, Holm", "d"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in found["rows"]:
        spread = row["standard_deviation"]
        shown = f"{row['mean']:.4f}" + ("" if spread is None else f" ± {spread:.4f}")
        cells = [row["row"], shown, "", "", "", ""]
        if row["row"] != run:
            effect = row["effect_size"]
            cells[2:] = [
                f"{row['difference']:+.4f}",
                f"{row['low']:+.4f} … {row['high']:+.4f}",
                f"{row['holm']:.4f}",
                "–" if effect is None else f"{effect:+.3f}",
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
