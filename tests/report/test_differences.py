"""One run against the others: the sign, the users, the verdict, and who is asked about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mmrec import schemas
from mmrec.evaluation.significance import holm_adjusted
from mmrec.io import DataError
from mmrec.report.differences import Contrast, Difference, contrast
from mmrec.report.runs import RunReport
from tests.report.made_runs import a_run, cold_ranks, runs
from tests.report.outline import parse
from tests.report.worlds import World, page_of


def _with_ranks(name: str, warm: int, cold: int, *, num_cold: int = 40) -> RunReport:
    """A run with one rank for everybody whose target is warm and one for everybody else."""
    is_cold = np.arange(100) < num_cold
    zeros = np.zeros(100, np.int32)
    columns = dict.fromkeys(schemas.RANKS.names, zeros) | {
        "user_index": np.arange(100),
        "rank": np.where(is_cold, cold, warm),
        "target_is_cold": is_cold,
    }
    ranks = pa.table(columns).cast(schemas.RANKS)
    return replace(a_run(name, "m", 0.5 / warm, epochs=0, pretrained=False), ranks=ranks)


def _tested(runs: list[RunReport], name: str) -> Contrast:
    found = contrast(runs, name)
    assert found is not None
    return found


def test_difference_is_the_run_less_the_other_one() -> None:
    ours, other = _with_ranks("ours", warm=1, cold=3), _with_ranks("other", warm=3, cold=1)
    found = _tested([other, ours], "ours")
    assert (found.run, found.metric) == ("ours", "NDCG@10")
    everybody, warm, cold = found.parts
    assert [(part.name, part.size) for part in found.parts] == [
        ("All users", 100),
        ("Warm targets", 60),
        ("Cold targets", 40),
    ]
    # NDCG is 1 at rank 1 and 1/2 at rank 3: +1/2 for 60 users, -1/2 for 40.
    assert everybody.differences[0].difference == pytest.approx(0.6 * 0.5 - 0.4 * 0.5)
    assert warm.differences == [Difference("other", 0.5, 0.5, 0.5, 0.0, 0.0, None)]
    assert cold.differences == [Difference("other", -0.5, -0.5, -0.5, 0.0, 0.0, None)]
    assert everybody.differences[0].low < 0.1 < everybody.differences[0].high


def test_verdict_is_in_words_and_goes_by_the_interval() -> None:
    def verdict(difference: float, low: float, high: float, p_value: float) -> str:
        return Difference("r", difference, low, high, p_value, p_value, 0.1).verdict

    assert verdict(0.1, 0.05, 0.15, 0.01) == "better"
    assert verdict(-0.1, -0.15, -0.05, 0.01) == "worse"
    assert verdict(0.1, -0.01, 0.21, 0.07) == "no clear difference"
    assert verdict(0.0, 0.0, 0.0, 1.0) == "no clear difference"


def test_p_is_corrected_for_the_runs_that_a_part_compares() -> None:
    generator = np.random.default_rng(0)
    made = []
    for name, worst in (("ours", 20), ("a", 25), ("b", 30), ("c", 22)):
        run = _with_ranks(name, warm=1, cold=2)
        assert run.ranks is not None
        drawn = pa.array(generator.integers(1, worst, 100), pa.int32())
        made.append(replace(run, ranks=run.ranks.set_column(2, "rank", drawn)))
    for part in _tested(made, "ours").parts:
        p_values = [row.p_value for row in part.differences]
        assert [row.holm for row in part.differences] == holm_adjusted(p_values)
        assert all(row.effect_size is not None for row in part.differences)


def test_answer_names_the_others_by_verdict() -> None:
    made = [
        _with_ranks(name, warm=rank, cold=4)
        for name, rank in zip("abcd", (2, 3, 3, 4), strict=True)
    ]
    parts = _tested(made, "b").parts
    assert parts[1].answer == [("better", ["d"]), ("worse", ["a"]), ("no clear difference", ["c"])]
    assert parts[2].answer == [("no clear difference", ["a", "c", "d"])]


def test_run_that_recommends_is_asked_about_and_else_the_best() -> None:
    assert _tested(runs(), "shop-sasrec").run == "shop-sasrec"
    assert _tested(runs(), "a run of another dataset").run == "shop-mp4sr"


def test_part_of_a_single_user_is_left_out() -> None:
    made = [_with_ranks(name, 1, 2, num_cold=1) for name in ("a", "b")]
    assert [part.name for part in _tested(made, "a").parts] == ["All users", "Warm targets"]


def test_nothing_is_tested_without_another_run_or_without_ranks() -> None:
    assert contrast(runs()[:1], "shop-popularity") is None
    assert contrast([replace(run, ranks=None) for run in runs()], "shop-mp4sr") is None


def test_runs_that_ranked_other_users_are_named() -> None:
    ours, other = _with_ranks("ours", warm=1, cold=3), _with_ranks("other", warm=3, cold=1)
    assert other.ranks is not None
    cleaned_again = replace(other, ranks=other.ranks.slice(1))
    with pytest.raises(DataError, match=r"'other' and 'ours' of dataset 'shop' .*99 and 100 rows"):
        contrast([cleaned_again, ours], "ours")


def test_where_users_have_several_items_held_out_samples_are_counted() -> None:
    def with_several(run: RunReport) -> RunReport:
        ranks = run.ranks
        assert ranks is not None
        users, place = np.arange(100) // 4, ranks.column_names.index("user_index")
        ranks = ranks.set_column(place, ranks.schema.field(place), pa.array(users, pa.int32()))
        place = ranks.column_names.index("history_length")
        lengths = pa.array(np.arange(100) % 4 + 1, pa.int32())
        return replace(run, ranks=ranks.set_column(place, ranks.schema.field(place), lengths))

    ours, other = _with_ranks("ours", warm=1, cold=3), _with_ranks("other", warm=3, cold=1)
    found = _tested([with_several(other), with_several(ours)], "ours")
    assert [(part.size, part.unit) for part in found.parts] == [
        (100, "sample"),
        (60, "sample"),
        (40, "sample"),
    ]
    alone = _tested([other, ours], "ours").parts
    for part, of_users in zip(found.parts, alone, strict=True):
        assert part.differences[0].difference == of_users.differences[0].difference
    # Users are drawn as wholes, of which there are fewer.
    assert found.parts[0].differences[0].p_value > alone[0].differences[0].p_value


def test_cold_positions_are_tested_over_users_where_all_runs_have_them() -> None:
    made = [
        replace(run, cold_ranks=cold_ranks(level))
        for run, level in zip(runs(), (0.1, 0.2, 0.4), strict=True)
    ]
    *_, part = _tested(made, "shop-mp4sr").parts
    assert (part.name, part.size, part.unit) == ("Cold positions", 20, "sample")
    gains = [
        [1 / np.log2(rank + 1) * (rank <= 10) for rank in cold_ranks(level)["rank"].to_pylist()]
        for level in (0.1, 0.2, 0.4)
    ]
    of_others = [np.mean(gains[2]) - np.mean(other) for other in gains[:2]]
    assert [row.difference for row in part.differences] == pytest.approx(of_others)
    assert all(row.low < row.difference < row.high for row in part.differences)
    some = [made[0], replace(made[1], cold_ranks=None), made[2]]
    assert [one.unit for one in _tested(some, "shop-mp4sr").parts] == ["user"] * 3
    one_user = [replace(run, cold_ranks=cold_ranks(0.2).slice(0, 2)) for run in runs()]
    assert [one.unit for one in _tested(one_user, "shop-mp4sr").parts] == ["user"] * 3
    nobody = [replace(run, cold_ranks=schemas.RANKS.empty_table()) for run in runs()]
    assert [one.unit for one in _tested(nobody, "shop-mp4sr").parts] == ["user"] * 3


def test_runs_that_ranked_other_cold_positions_are_named() -> None:
    ours, other = (replace(run, cold_ranks=cold_ranks(0.2)) for run in runs()[:2])
    assert other.cold_ranks is not None
    cleaned_again = replace(other, cold_ranks=other.cold_ranks.slice(1))
    with pytest.raises(DataError, match=r"dataset 'shop' .*19 and 20 rows"):
        contrast([cleaned_again, ours], ours.name)


def test_page_answers_the_question_before_the_figures(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    section = parse(page_of(World(tmp_path_factory.mktemp("world")))).find(
        "section", ident="comparison"
    )[0]
    answer = [line.words for line in section.find("ul", css="answer")[0].find("li")]
    assert answer[0] == "All users: better than shop-popularity and shop-sasrec."
    verdicts = [cell.text for cell in section.find("td", css="verdict")]
    assert len(verdicts) == 6
    assert verdicts[:2] == ["better", "better"]
