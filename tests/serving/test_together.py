"""Requests that wait at the same time get what they would get alone, from one ranking."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from mmrec.library.filters import Filters
from mmrec.library.run import Run
from mmrec.serving.bodies import RecommendBody
from mmrec.serving.together import Together
from tests.library.worlds import item

ONE: dict[str, Any] = {"histories": [[item(3)]], "k": 4}
TWO: dict[str, Any] = {"histories": [[item(7), item(1)], [item(2)]], "k": 4}
USERS: dict[str, Any] = {"users": ["u3", "u1"], "k": 4}


def alone(run: Run, body: dict[str, Any]) -> pl.DataFrame:
    given = run.histories_of(body["users"]) if "users" in body else body["histories"]
    filters = Filters(exclude=body.get("exclude", ()))
    return run.recommend(given, body["k"], filters=filters)


def waiting(stack: ExitStack, together: Together, *bodies: dict[str, Any]) -> list[Any]:
    asked = [RecommendBody.model_validate(body) for body in bodies]
    return [stack.enter_context(together.waiting(one)) for one in asked]


def fail(*_: object, **__: object) -> None:
    raise AssertionError("ranked once more")


@pytest.mark.parametrize("name", ["sasrec", "itemknn", "two"])
def test_who_waits_with_others_gets_the_same_lists_from_one_ranking(
    name: str, runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, bodies = runs[name], [ONE, USERS, TWO]
    expected = [alone(run, body) for body in bodies]
    with ExitStack() as stack:
        first, *others = waiting(stack, Together(run), *bodies)
        found = [first()]
        monkeypatch.setattr(Run, "recommend", fail)
        found += [other() for other in others]
    for own, lists in zip(expected, found, strict=True):
        assert lists.columns == own.columns
        assert lists.drop("score").rows() == own.drop("score").rows()
        assert lists["score"].to_list() == pytest.approx(own["score"].to_list(), rel=1e-5)


def test_who_asks_for_something_else_is_ranked_apart(runs: dict[str, Run]) -> None:
    run = runs["sasrec"]
    bodies = [ONE, {**TWO, "k": 2}, {**TWO, "exclude": [item(5)]}]
    with ExitStack() as stack:
        for rank, body in zip(waiting(stack, Together(run), *bodies), bodies, strict=True):
            assert rank().drop("score").equals(alone(run, body).drop("score"))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"histories": [["new"]], "k": 4}, "history 0: 'new' is not in the catalogue"),
        ({"histories": [], "k": 4}, "histories: found none, expected at least one"),
        ({"users": ["u99"], "k": 4}, "users: 'u99' is not among the 40 users"),
    ],
)
def test_an_error_is_heard_by_who_made_it_and_nobody_else(
    body: dict[str, Any], says: str, runs: dict[str, Run]
) -> None:
    run = runs["sasrec"]
    with ExitStack() as stack:
        before, wrong, after = waiting(stack, Together(run), ONE, body, TWO)
        assert before().drop("score").equals(alone(run, ONE).drop("score"))
        with pytest.raises(ValueError, match=says):
            wrong()
        assert after().drop("score").equals(alone(run, TWO).drop("score"))


def test_no_more_are_ranked_at_once_than_one_request_may_ask_for(
    runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {"histories": [[item(3)]] * 99, "k": 4}
    with ExitStack() as stack:
        first, second, third = waiting(stack, Together(runs["sasrec"]), many, TWO, ONE)
        first()
        with monkeypatch.context() as patch:
            patch.setattr(Run, "recommend", fail)
            third()
            with pytest.raises(AssertionError, match="ranked once more"):
                second()
        assert second().height == 8


def test_who_went_away_is_not_ranked(runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    together = Together(runs["sasrec"])
    with together.waiting(RecommendBody.model_validate(TWO)) as gone:
        pass
    with together.waiting(RecommendBody.model_validate(ONE)) as rank:
        assert rank().height == 4
    monkeypatch.setattr(Run, "recommend", fail)
    with pytest.raises(AssertionError, match="ranked once more"):
        gone()


def test_lists_of_users_come_by_their_names(client: TestClient) -> None:
    answer = client.post("/recommend", json=USERS)
    assert [one["user_id"] for one in answer.json()["lists"]] == ["u3", "u1"]
