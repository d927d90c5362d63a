"""What the page of the documentation says is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

from starlette.testclient import TestClient

from mmrec.library.run import Run
from mmrec.serving import limits
from mmrec.serving.app import create_app
from mmrec.serving.bodies import RecommendBody, SimilarBody
from mmrec.serving.pictures import NO_PICTURES
from tests.library.worlds import item

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()


def test_every_address_and_setting_is_on_it(runs: dict[str, Run]) -> None:
    app = create_app(runs["popularity"], NO_PICTURES)
    paths = {getattr(route, "path", "") for route in app.routes}
    assert {*re.findall(r"^\| `(?:GET|POST) (\S+)`", PAGE, re.MULTILINE)} == paths
    for name in {*RecommendBody.model_fields, *SimilarBody.model_fields}:
        assert f"`{name}`" in PAGE


def test_the_limits_are_those_of_the_code() -> None:
    told = " ".join(PAGE.split())
    assert limits.BODY_BYTES == 1 << 20
    assert "body of 1 MiB at most that is whole within ten seconds" in told
    assert limits.BODY_SECONDS == 10
    assert f"{limits.HISTORIES} histories, users or items, {limits.ITEMS:,} items in a" in told
    assert f"`k` up to {limits.K}, and {limits.FILTER_IDS:,} ids in a filter" in told
    assert f"{limits.WAITING} requests may wait" in told


def test_the_request_is_answered(client: TestClient) -> None:
    (text,) = re.findall(r"-d '(.*)'", PAGE)
    asked = json.loads(text.replace("P00012", item(3)).replace("P00345", item(7)))
    (found,) = client.post("/recommend", json=asked).json()["lists"]
    assert found["history"] == 0
    assert len(found["items"]) == 5
    assert {*found["items"][0]} == {"rank", "item_id", "title", "picture", "score"}
    assert all(f"`{name}`" in PAGE for name in found["items"][0])
