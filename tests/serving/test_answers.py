"""What is served is what the library says, for every kind of run and every filter."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from mmrec import Filters
from mmrec.library.run import Run
from tests.library.worlds import NUM_ITEMS, item
from tests.serving.conftest import client_of

GIVEN = [[item(3), item(7)], [item(1)]]
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "ids": {"exclude": [item(1), item(2)], "include": [item(place) for place in range(9)]},
    "seen": {"keep_seen": True},
    "category": {"category": "lamp"},
    "field": {"category": "upper", "categories": "shelf"},
    "few of each": {"max_per_category": 1},
}


def rows_of(lists: list[dict[str, Any]], owner: str) -> list[tuple[Any, ...]]:
    return [
        (one[owner], *(shown[name] for name in ("rank", "item_id", "title", "score")))
        for one in lists
        for shown in one["items"]
    ]


@pytest.mark.parametrize("name", ["sasrec", "popularity", "itemknn", "tfidf", "two"])
def test_every_kind_of_run_answers_as_the_library_does(name: str, runs: dict[str, Run]) -> None:
    with client_of(runs[name]) as client:
        answer = client.post("/recommend", json={"histories": GIVEN, "k": 6})
    assert answer.status_code == 200
    expected = runs[name].recommend(GIVEN, 6)
    assert rows_of(answer.json()["lists"], "history") == expected.rows()
    assert expected.height == 12


@pytest.mark.parametrize("given", FILTERS)
def test_filters_mean_the_same(given: str, client: TestClient, runs: dict[str, Run]) -> None:
    asked = FILTERS[given]
    answer = client.post("/recommend", json={"histories": GIVEN, "k": 4, **asked}).json()
    expected = runs["sasrec"].recommend(GIVEN, 4, filters=Filters(**asked))
    assert rows_of(answer["lists"], "history") == expected.rows()
    alike = {name: value for name, value in asked.items() if name != "keep_seen"}
    answer = client.post("/similar", json={"items": [item(3)], "k": 4, **alike}).json()
    expected = runs["sasrec"].similar([item(3)], 4, filters=Filters(**alike))
    assert rows_of(answer["lists"], "like") == expected.rows()


def test_diversity_and_unknown_items(client: TestClient, runs: dict[str, Run]) -> None:
    asked = {"histories": [[*GIVEN[0], "new"]], "k": 5, "diversity": 0.6}
    answer = client.post("/recommend", json={**asked, "skip_unknown": True}).json()
    expected = runs["sasrec"].recommend(GIVEN[:1], 5, filters=Filters(diversity=0.6))
    assert rows_of(answer["lists"], "history") == expected.rows()
    assert expected.rows() != runs["sasrec"].recommend(GIVEN[:1], 5).rows()
    refused = client.post("/recommend", json=asked)
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("history 0: 'new' is not in the catalogue of 18")


def test_users_are_answered_by_their_history(client: TestClient, runs: dict[str, Run]) -> None:
    answer = client.post("/recommend", json={"users": ["u3", "u1"], "k": 3}).json()
    histories = runs["sasrec"].histories_of(["u3", "u1"])
    assert rows_of(answer["lists"], "user_id") == runs["sasrec"].recommend(histories, 3).rows()
    shown = client.get("/history", params={"user": "u3"}).json()["items"]
    assert [one["item_id"] for one in shown] == histories["u3"]


def test_a_list_in_which_nothing_is_left_is_there_and_empty(client: TestClient) -> None:
    asked = {"histories": GIVEN, "include": [item(1)]}
    first, second = client.post("/recommend", json=asked).json()["lists"]
    assert (len(first["items"]), second) == (1, {"history": 1, "items": []})


def test_items_are_found_by_words(client: TestClient, runs: dict[str, Run]) -> None:
    def found(**query: Any) -> list[str]:
        return [one["item_id"] for one in client.get("/items", params=query).json()["items"]]

    popular = runs["sasrec"].items.sort("training_count", descending=True, maintain_order=True)
    assert found(k=NUM_ITEMS) == popular["item_id"].to_list()
    assert found(k=3) == popular["item_id"].to_list()[:3]
    lamps = popular.filter(pl.col("title").str.contains("lamp"))["item_id"].to_list()
    assert len(lamps) == 6
    assert found(words="LAMP  no. ") == lamps
    assert found(words="no. 1 mug") == [
        one for one in popular["item_id"] if one in {item(11), item(14), item(17)}
    ]
    assert found(words=item(4).upper()) == [item(4)]
    assert found(words="lamp mug") == []
    assert found(words=".*") == []


def test_what_is_served_is_told(client: TestClient, runs: dict[str, Run]) -> None:
    told = client.get("/health").json()
    assert told | {"version": "?"} == {
        "status": "ok",
        "version": "?",
        "run": "sasrec",
        "num_items": NUM_ITEMS,
        "without_vectors": None,
        "categories": ["lamp", "mug", "shoe"],
    }
    with client_of(runs["itemknn"]) as other:
        reason = other.get("/health").json()["without_vectors"]
        refused = other.post("/similar", json={"items": [item(3)]})
        page = other.get("/").text
    assert refused.status_code == 400
    assert reason in refused.json()["error"]
    assert 'id="similar"' not in page
    assert 'id="diversity"' not in page
