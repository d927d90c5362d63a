"""Cells in, tables and figures that say of whom and against what out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from matplotlib.axes import Axes

from mmrec.io import read_json
from mmrec.study.figure import write_figure
from mmrec.study.markdown import study_markdown
from mmrec.study.run import write_results
from mmrec.study.runs import StudyRuns
from mmrec.study.tables import part_sizes, study_cells
from tests.study.test_tables import RANKS, RANKS_OF_TWO, STUDY, TWO_SHOPS, of


def markdown(held_out: Mapping[str, Sequence[pa.Table]]) -> str:
    """The tables of `STUDY`."""
    ranks = of(held_out)
    return study_markdown("tried", STUDY, study_cells(STUDY, ranks), part_sizes(STUDY, ranks), {})


def test_what_is_held_out_of_users_with_several_items_is_counted_in_samples() -> None:
    whole = "their means over the seeds (each with all of its samples), p"
    assert whole not in markdown(RANKS)
    halved = {
        row: [
            table.set_column(
                0, table.schema.field(0), pc.divide(table["user_index"], 2).cast(pa.int32())
            )
            for table in tables
        ]
        for row, tables in RANKS.items()
    }
    assert part_sizes(STUDY, of(halved))["all"] == {"demo": (40, "sample")}
    text = markdown(halved)
    assert "40 samples, all targets; seeds 3, 4:" in text
    assert whole in text


def test_results_name_datasets_and_references_where_there_are_several(tmp_path: Path) -> None:
    text = write_results("two", TWO_SHOPS, StudyRuns(of(RANKS_OF_TWO), {}), tmp_path)
    lines = text.splitlines()
    assert "40 users of demo, 25 users of small, all targets; seeds 3, 4:" in lines
    assert "|  | dataset | against | recall@5 | gain | mrr | gain |" in lines
    assert "Gains and stars: against the row that is named;" in text
    cells = study_cells(TWO_SHOPS, of(RANKS_OF_TWO))
    of_row = cells["all"]["better small"]
    shown = " | ".join(f"{of_row[name]} | {of_row[name].percent}" for name in ("recall@5", "mrr"))
    assert f"| better small | small | plain small | {shown} |" in lines
    saved = read_json(tmp_path / "two.json")["cells"]
    assert saved["all"]["better small"]["mrr"]["gain"] == of_row["mrr"].gain
    nobody = dict.fromkeys(("p_value", "holm", "effect_size", "gain")) | {"values": []}
    assert saved["cold"]["better small"]["mrr"] == nobody
    assert "| better small | small | plain small | – |  | – |  |" in lines
    assert (tmp_path / "two.png").read_bytes().startswith(b"\x89PNG")


def test_the_figure_shows_gains_where_rows_have_several_references(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    plain = Axes.bar_label

    def recorded(axes: Axes, bars: Any, labels: list[str], **style: Any) -> Any:
        drawn.extend(labels)
        return plain(axes, bars, labels, **style)

    monkeypatch.setattr(Axes, "bar_label", recorded)
    write_figure(STUDY, study_cells(STUDY, of(RANKS)), tmp_path / "one.png")
    assert drawn == []
    cells = study_cells(TWO_SHOPS, of(RANKS_OF_TWO))
    write_figure(TWO_SHOPS, cells, tmp_path / "two.png")
    assert drawn[:4] == [cells["all"][row]["recall@5"].percent for row in TWO_SHOPS.rows]
    assert drawn[0] == drawn[2] == "" != drawn[1]


def test_the_tables_and_the_figure_show_every_row(tmp_path: Path) -> None:
    cells = study_cells(STUDY, of(RANKS))
    text = markdown(RANKS)
    assert "40 users, all targets; seeds 3, 4:" in text
    assert "14 users, cold targets" in text
    assert text.count("| better | ") == 2
    assert str(cells["cold"]["better"]["recall@5"]) in text
    assert "|  | recall@5 | gain | mrr | gain |" in text
    assert "Gains and stars: against plain;" in text
    write_figure(STUDY, cells, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
