"""The grid over SASRec's settings: every point once, and what is chosen tested by other seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import sasrec_grid
from benchmarks.sasrec_grid_runs import GRID_SEED, TEST_SEEDS, Budget, Point, default_of, grid
from benchmarks.sasrec_grid_table import best_points, lines
from mmrec.io import read_json


class InTurn:
    """A machine without processes of its own that stops after so many trainings."""

    def __init__(self, most: int = 99) -> None:
        self.most, self.trained = most, 0

    def each(self, work, tasks, _seconds):
        for task in tasks:
            if self.trained == self.most:
                return
            self.trained += 1
            yield work(task)


@pytest.fixture
def arguments(tmp_path):
    lines = [f"{user} {' '.join(str((user + step) % 9) for step in range(5))}" for user in range(9)]
    (tmp_path / "Beauty.txt").write_text("\n".join(lines) + "\n")
    results = tmp_path / "found.json"
    return [str(tmp_path), "--datasets", "beauty", "--epochs", "1", "--results", str(results)]


def tried(monkeypatch: pytest.MonkeyPatch, machine: InTurn, arguments: list[str]) -> dict:
    monkeypatch.setattr(sasrec_grid, "Machine", lambda _jobs: machine)
    asked = sasrec_grid.parser().parse_args(arguments)
    sasrec_grid.main(asked)
    return read_json(asked.results)


def test_a_grid_has_every_point_once_and_the_defaults() -> None:
    points = grid(["beauty", "sports"])
    assert len({*points}) == len(points) == 112
    assert default_of("sports") in points
    budget = Budget(100, 5, 1024, mask_history=False)
    models = [point.params(budget).model_dump_json() for point in points]
    assert len({*models}) == 56


def test_a_grid_goes_on_where_it_stopped_and_only_what_was_chosen_ranks_the_test(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [*arguments, "--points", "3"]
    found = tried(monkeypatch, InTurn(2), [*some, "--grid-only"])
    assert (len(found["grid"]), found["test"]) == (2, [])
    assert "1 points were not reached in time" in "\n".join(lines(found))
    machine = InTurn()
    found = tried(monkeypatch, machine, some)
    best = best_points(found)["beauty"]
    chosen = {Point(**{name: best[name] for name in vars(default_of(""))}), default_of("beauty")}
    assert machine.trained == 1 + 3 * len(chosen)
    assert all("test" not in one for one in found["grid"])
    assert {one["seed"] for one in found["grid"]} == {GRID_SEED}
    assert {one["seed"] for one in found["test"]} == {*TEST_SEEDS}
    seen = {"competing", "left out", "left out, targets seen in training"}
    assert all({*one["test"]} == seen for one in found["test"])
    machine = InTurn()
    assert tried(monkeypatch, machine, some) == found
    assert machine.trained == 0
    found = tried(monkeypatch, InTurn(1), [*some, "--grid-only", "--patience", "6"])
    assert (len(found["grid"]), found["test"]) == (1, []), "another budget is another grid"


def test_the_table_has_every_point_and_says_which_failed(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = tried(monkeypatch, InTurn(), [*arguments, "--points", "1", "--grid-only"])
    diverged = {**found["grid"][0], "loss": "bce", "failed": "not finite"}
    del diverged["validation"]
    text = "\n".join(lines({**found, "grid": [diverged, *found["grid"]]}))
    assert "| bce | – | 0.001 | – | – | – | not finite |" in text
    one = found["grid"][0]
    shown = (
        f"| {one['embedding_dim']} | {one['num_layers']} | {one['dropout']} | {one['loss']} | – | "
        "0.001 | "
    )
    assert f"{shown}{one['validation']['ndcg@10']:.4f} | " in text
    assert text.index(shown) < text.index("not finite"), "the best first"
    assert (tmp_path / "found.md").read_text().count(shown) == 1
