"""Ranks of knock-outs in; one table, its tests and sentences out, on the page as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mmrec import schemas
from mmrec.evaluation.significance import holm_adjusted, paired_t_test
from mmrec.io import DataError, write_json
from mmrec.knockouts.arms import knockout_study
from mmrec.knockouts.results import knockout_markdown, knockout_results
from mmrec.params.file import load_params
from mmrec.params.run_settings import run_settings
from mmrec.paths import Paths
from mmrec.report.knockouts import load_knockouts
from mmrec.report.page import Showcase, render_page
from mmrec.report.runs import KnockoutReport
from mmrec.run_paths import knockouts_of
from mmrec.study.workspace import PROJECT
from tests.report.made_runs import a_run
from tests.report.outline import Node, parse
from tests.report.worlds import PROTOCOL

PARAMS = load_params(PROJECT / "params.yaml")
RUN = "demo-mp4sr"
STUDY = knockout_study(PARAMS, RUN, [1, 2], "recall@10")
NUM_USERS = 200


def ranks(hits: int, seed: int, *, cold: int = 60) -> pa.Table:
    """`RANKS` in which so many of all users, and as large a share of the cold, have a hit."""
    users = np.random.default_rng(seed).permutation(NUM_USERS)
    columns = {
        "user_index": users,
        "target": users + 1,
        "rank": np.where(users * 7 % NUM_USERS < hits, 1, 99),
        "target_is_cold": users < cold,
        "target_training_count": users,
        "history_length": users + 2,
    }
    return pa.table(columns).cast(schemas.RANKS)


def of_rows(**hits: int) -> dict[str, list[pa.Table]]:
    """Two seeds of every row: 120 hits of the run, 20 of all others but those that are named."""
    found = {row: hits.get(row.replace(" ", "_"), 20) for row in STUDY.rows}
    found[RUN] = 120
    return {row: [ranks(count, 0), ranks(count, 1)] for row, count in found.items()}


def parts(tables: Mapping[str, Sequence[pa.Table]]) -> dict[str, dict[str, Any]]:
    """Parts of the results by their names."""
    return {one["part"]: one for one in results(tables)["parts"]}


def results(tables: Mapping[str, Sequence[pa.Table]]) -> dict[str, Any]:
    return knockout_results(PARAMS, STUDY, tables)


def test_differences_and_p_values_are_those_of_paired_tests_of_all_rows_together() -> None:
    found = parts(of_rows(text_shuffled=90))
    assert list(found) == ["all", "warm", "cold"]
    rows = {row["row"]: row for row in found["all"]["rows"]}
    assert list(rows) == list(STUDY.rows)
    users = np.arange(NUM_USERS)
    own = (users * 7 % NUM_USERS < 120).astype(float)
    p_values = {}
    for row in STUDY.rows.keys() - {RUN}:
        hit = (users * 7 % NUM_USERS < (90 if row == "text shuffled" else 20)).astype(float)
        p_values[row] = paired_t_test(own, hit, users).p_value
        assert rows[row]["difference"] == pytest.approx(hit.mean() - own.mean())
        assert rows[row]["low"] < rows[row]["difference"] < rows[row]["high"] < 0
    holm = dict(zip(p_values, holm_adjusted([*p_values.values()]), strict=True))
    assert {row: rows[row]["holm"] for row in holm} == pytest.approx(holm)
    assert rows[RUN]["difference"] is None
    assert found["cold"]["size"] == 60
    assert found["warm"]["sentences"] == []


def test_sentences_are_of_all_and_of_cold_targets_each_by_its_own_test() -> None:
    tables = of_rows()
    warm_only = tables[RUN][0].to_pylist()
    for row in warm_only:
        row["rank"] = 99 if row["target_is_cold"] else row["rank"]
    tables[RUN] = [pa.Table.from_pylist(warm_only, schemas.RANKS)] * 2
    found = parts(tables)
    assert "the content of text and image carries information" in found["all"]["sentences"][0]
    assert found["cold"]["sentences"] == [
        "Recall@10 of demo-mp4sr is 0: there is nothing that it could lose."
    ]


def test_a_feature_that_may_be_shuffled_is_told_so() -> None:
    found = parts(of_rows(text_shuffled=120, text_noise=120))["all"]["sentences"]
    assert found[1].startswith("Recall@10 does not fall when items get each other's text (0.6000 ")
    assert "items can be told apart by text, as by an ID" in found[1]


def test_a_part_of_nobody_is_left_out_and_other_users_are_refused() -> None:
    warm = {row: [ranks(20, 0, cold=1)] * 2 for row in STUDY.rows}
    assert list(parts(warm)) == ["all", "warm"]
    with pytest.raises(DataError, match="the two tables differ in 'user_index'"):
        results({**warm, "popularity": [warm["popularity"][0].slice(1)] * 2})


def test_the_text_has_every_row_and_warns_of_few_seeds() -> None:
    text = knockout_markdown(results(of_rows()))
    for row in STUDY.rows:
        assert text.count(f"\n| {row} | ") == 3
    assert "Seeds 1, 2. " in text
    assert "With fewer than three seeds" in text
    assert "With fewer" not in knockout_markdown({**results(of_rows()), "seeds": [1, 2, 3]})


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path)
    knockouts_of(paths.run(RUN)).parent.mkdir(parents=True)
    write_json(results(of_rows()), knockouts_of(paths.run(RUN)))
    return paths


def test_the_report_reads_what_was_found_and_whether_it_is_of_now(paths: Paths) -> None:
    assert load_knockouts(PARAMS, paths, "demo-sasrec") is None
    found = load_knockouts(PARAMS, paths, RUN)
    assert found is not None
    assert found.changed == []
    assert list(found.parts) == ["All users", "Warm targets", "Cold targets"]
    sentences = PARAMS.embed.text["demo-sentences"].model_copy(update={"precision": "float32"})
    text = {**PARAMS.embed.text, "demo-sentences": sentences}
    others = PARAMS.model_copy(update={"embed": PARAMS.embed.model_copy(update={"text": text})})
    changed = load_knockouts(others, paths, RUN)
    assert changed is not None
    assert changed.changed == ["features"]
    write_json({"run": RUN}, knockouts_of(paths.run(RUN)))
    with pytest.raises(DataError, match=r"knockouts\.json"):
        load_knockouts(PARAMS, paths, RUN)


def test_settings_are_those_that_the_run_depends_on() -> None:
    settings = run_settings(PARAMS, RUN)
    assert set(settings["features"]) == {"demo/sentences", "demo/keyword_sentences"}
    assert settings["pretraining"]["model"] == "mp4sr"
    assert run_settings(PARAMS, "demo-sasrec")["features"] == {}
    seeded = PARAMS.runs[RUN].model_copy(update={"seed": 1})
    other = PARAMS.model_copy(update={"runs": {**PARAMS.runs, RUN: seeded}})
    assert run_settings(other, RUN) == settings | {"run": settings["run"] | {"seed": 1}}


def page_of(found: KnockoutReport) -> Node:
    """A page of one run, which is not trained."""
    run = a_run("shop-run", "m", 0.2, epochs=0, pretrained=False)
    page = render_page(
        title="shop",
        datasets=[],
        runs=[replace(run, knockouts=found)],
        protocol=PROTOCOL,
        showcase=Showcase("shop", "shop-run"),
    )
    return parse(page)


def test_the_page_has_sentences_and_rows_and_a_warning_where_settings_changed(
    paths: Paths,
) -> None:
    found = load_knockouts(PARAMS, paths, RUN)
    assert found is not None
    page = page_of(found)
    assert "Does the content of its features help demo-mp4sr?" in page.text
    for part in ("All users", "Cold targets"):
        assert found.parts[part]["sentences"][0] in page.text
    assert "Found with other settings" not in page.text
    label = f"Knock-outs of {RUN}"
    table = next(one for one in page.find("div") if one.attrs.get("aria-label") == label)
    assert len(table.find("tr")) == 1 + 3 * (1 + len(STUDY.rows))
    page = page_of(replace(found, changed=["features", "model"]))
    assert "Found with other settings than those of now (features, model)" in page.text
