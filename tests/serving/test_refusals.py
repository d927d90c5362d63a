"""A request that cannot be answered gets one message, and none takes more than is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from mmrec.io import DataError
from mmrec.library.run import Run
from mmrec.serving import limits
from mmrec.serving.app import create_app
from mmrec.serving.pictures import NO_PICTURES
from mmrec.serving.worker import BusyError, Worker
from tests.library.worlds import item
from tests.serving.conftest import client_of

GOOD = [[item(3)]]
LONG = "x" * (limits.ID_LENGTH + 1)
BODIES: dict[str, tuple[dict[str, Any], str]] = {
    "nobody": ({}, "body: expected one of histories and users"),
    "both": ({"histories": GOOD, "users": ["u1"]}, "body: expected one of histories and users"),
    "no histories": ({"histories": []}, "histories: found none, expected at least one"),
    "an empty history": ({"histories": [[]]}, "history 0: found no items"),
    "a text": ({"histories": [item(3)]}, "histories[0]: found 'i-03'; Input should be a valid"),
    "a number": ({"histories": [[5]]}, "histories[0][0]: found 5; Input should be a valid string"),
    "unknown key": ({"histories": GOOD, "top": 3}, "top: unknown; allowed here: k, exclude"),
    "k": ({"histories": GOOD, "k": 0}, "k: found 0; Input should be greater than or equal to 1"),
    "large k": ({"histories": GOOD, "k": 10**30}, "k: found 1000000"),
    "k as text": ({"histories": GOOD, "k": "5"}, "k: found '5'; Input should be a valid integer"),
    "many histories": ({"histories": GOOD * 101}, "histories: List should have at most 100 items"),
    "a long history": ({"histories": [GOOD[0] * 1001]}, "histories[0]: List should have at most"),
    "a long id": ({"histories": [[LONG]]}, "histories[0][0]: String should have at most 1000"),
    "diversity": ({"histories": GOOD, "diversity": 2}, "diversity: found 2.0, expected 0 to 1"),
    "many ids": (
        {"histories": GOOD, "exclude": [str(place) for place in range(limits.FILTER_IDS + 1)]},
        "exclude: List should have at most 50000 items",
    ),
    "unknown ids": (
        {"histories": [[item(3), "I-05", "new"]]},
        "2 of 3 items are not in the catalogue of 18 items: 'I-05' (did you mean 'i-05'?), 'new'",
    ),
    "twice": ({"histories": GOOD, "exclude": ["a", "a"]}, "exclude: found 'a' twice"),
    "category": ({"histories": GOOD, "category": "hat"}, "category: found 'hat', allowed: lamp"),
    "user": ({"users": ["u99"]}, "users: 'u99' is not among the 40 users"),
    "many faults": (
        {"histories": [[1, 2, 3, 4, 5, 6, 7]]},
        "histories[0][4]: found 5; Input should be a valid string; and 2 others",
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_wrong_body_is_one_message(name: str, client: TestClient) -> None:
    body, says = BODIES[name]
    answer = client.post("/recommend", json=body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert len(answer.content) < 2000


ANSWERS: dict[str, tuple[Callable[[TestClient], Any], int, str]] = {
    "no JSON": (
        lambda client: client.post(
            "/recommend", content=b"{", headers={"content-type": "application/json"}
        ),
        400,
        "body: Invalid JSON",
    ),
    "deep JSON": (
        lambda client: client.post(
            "/recommend", content=b"[" * 500_000, headers={"content-type": "application/json"}
        ),
        400,
        "body: Invalid JSON: recursion limit exceeded",
    ),
    "a form": (
        lambda client: client.post("/similar", data={"items": "a"}),
        415,
        "found 'application/x-www-form-urlencoded', expected application/json",
    ),
    "no such item": (
        lambda client: client.post("/similar", json={"items": ["I-05"]}),
        400,
        "did you mean 'i-05'?",
    ),
    "no item": (lambda client: client.post("/similar", json={"k": 3}), 400, "items: missing"),
    "no address": (lambda client: client.get("/recommendations"), 404, "Not Found"),
    "no method": (lambda client: client.get("/recommend"), 405, "Method Not Allowed"),
    "no picture": (lambda client: client.get("/picture?item=i-01"), 404, "'i-01': no picture"),
    "no user": (lambda client: client.get("/history"), 400, "user: found 0 characters"),
    "unknown user": (lambda client: client.get("/history?user=u99"), 400, "users: 'u99' is not"),
    "how many": (lambda client: client.get("/items?k=²"), 400, "k: found '²', expected 1 to 100"),
    "too many": (lambda client: client.get("/items?k=101"), 400, "expected 1 to 100"),
    "many words": (
        lambda client: client.get("/items", params={"words": "a " * 101}),
        400,
        "words: found 202 characters, expected 200 at most",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_other_error_is_one_message_too(name: str, client: TestClient) -> None:
    ask, status, says = ANSWERS[name]
    answer = ask(client)
    assert answer.status_code == status
    assert says in answer.json()["error"]


def test_a_run_without_vectors_says_what_it_cannot(runs: dict[str, Run]) -> None:
    with client_of(runs["itemknn"]) as client:
        alike = client.post("/similar", json={"items": [item(3)]})
        diverse = client.post("/recommend", json={"histories": GOOD, "diversity": 0.5})
        plain = client.post("/recommend", json={"histories": GOOD})
    says = (
        "run 'itemknn' cannot say which items are alike: its model (itemknn) scores items without"
    )
    for answer in (alike, diverse):
        assert answer.status_code == 400
        assert says in answer.json()["error"]
    assert plain.status_code == 200


def status_of(run: Run, receive: Callable[[], Any]) -> int:
    """Of what is answered to a body that comes piece by piece."""
    answers = list[Any]()

    async def send(message: Any) -> None:
        answers.append(message)

    scope = {
        **{"type": "http", "method": "POST", "path": "/recommend", "query_string": b""},
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
    }
    asyncio.run(create_app(run, NO_PICTURES)(scope, receive, send))
    status: int = answers[0]["status"]
    return status


def test_a_large_body_is_not_read_to_its_end(runs: dict[str, Run]) -> None:
    sent = 0

    async def receive() -> dict[str, Any]:
        nonlocal sent
        sent += 1 << 16
        return {"type": "http.request", "body": b" " * (1 << 16), "more_body": True}

    assert status_of(runs["popularity"], receive) == 413
    assert sent == limits.BODY_BYTES + (1 << 16)


def test_a_body_that_does_not_come_is_not_waited_for(
    runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def receive() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(limits, "BODY_SECONDS", 0.01)
    assert status_of(runs["popularity"], receive) == 408


def test_who_goes_away_is_no_fault(runs: dict[str, Run]) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    assert status_of(runs["popularity"], receive) == 400


def test_who_finds_too_many_waiting_hears_so(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> None:
        raise BusyError

    monkeypatch.setattr(Worker, "do", busy)
    answer = client.post("/recommend", json={"histories": GOOD})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "too many requests wait" in answer.json()["error"]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (DataError("items.parquet: file not found; run clean"), "items.parquet: file not found"),
        (RuntimeError("secret"), "a fault of the server, whose log says more"),
    ],
)
def test_a_fault_of_the_server_is_no_traceback(
    error: Exception, says: str, runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    with client_of(runs["popularity"]) as client:
        monkeypatch.setattr(Run, "recommend", fail)
        answer = client.post("/recommend", json={"histories": GOOD})
    assert answer.status_code == 500
    assert says in answer.json()["error"]
    assert "secret" not in answer.text


def test_other_names_than_those_of_this_machine_are_refused(runs: dict[str, Run]) -> None:
    with TestClient(create_app(runs["popularity"], NO_PICTURES, hosts=["localhost"])) as client:
        assert client.get("/health", headers={"host": "shop.example"}).status_code == 400
        assert client.get("/health", headers={"host": "localhost:8000"}).status_code == 200
