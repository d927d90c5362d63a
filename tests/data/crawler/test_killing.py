"""The stage itself: killed, interrupted, continued, and always the same result."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML

from mmrec.params.file import load_params
from mmrec.paths import Paths
from stages import crawl
from tests.data.crawler.web import Site, Web, says
from tests.data.raw_world import jpeg

ROOT = Path(__file__).parents[3]
NUM_LINKS = 200
MANNERS = {
    "contact": "owner@example.org",
    "edition": "1",
    "retry": [],
    "requests_per_host": 2,
    "min_interval_s": 0,
    "attempts": 2,
    "backoff_s": 0.01,
    "max_wait_s": 1,
    "host_failures": 20,
    "cool_down_s": 0.1,
    "timeout_s": 10,
    "max_image_bytes": 1_000_000,
    "allow_networks": ["127.0.0.1"],
}
SOURCE = {
    "name": "tabular",
    "interactions": {
        "file": "log.csv",
        "user_id": "user",
        "item_id": "item",
        "timestamp": None,
        "timestamp_unit": None,
        "rating": None,
    },
    "items": {
        "file": "items.csv",
        "item_id": "item",
        "title": None,
        "texts": [],
        "image_files": None,
        "image_folder": None,
        "image_urls": "pictures",
    },
}


@pytest.fixture(scope="module")
def site(web: Web) -> Site:
    # A few links name the same picture, some name none.
    answers = {
        f"{n}.jpg": says(jpeg(n % 50), status=404 if n % 10 == 9 else 200, delay_s=0.02)
        for n in range(NUM_LINKS)
    }
    return web.serve(Site(answers))


def workspace(folder: Path, site: Site, **manners: Any) -> Paths:
    (folder / "files").mkdir(parents=True)
    rows = "".join(f"{n},{site.url(f'{n}.jpg')}\n" for n in range(NUM_LINKS))
    (folder / "files" / "items.csv").write_text(f"item,pictures\n{rows}")
    (folder / "files" / "log.csv").write_text("user,item\nu,1\n")
    data = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    crawl_params = {**MANNERS, **manners}
    data["datasets"]["demo"] |= {"files": "files", "source": SOURCE, "crawl": crawl_params}
    with (folder / "params.yaml").open("w") as file:
        YAML(typ="safe").dump(data, file)
    return Paths(folder)


def outputs(paths: Paths) -> dict[str, bytes]:
    raw = paths.dataset("demo").raw
    files = sorted(path for path in raw.rglob("*") if path.is_file())
    return {str(path.relative_to(raw)): path.read_bytes() for path in files}


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stages.crawl", "demo"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_requests(site: Site, number: int) -> None:
    deadline = time.monotonic() + 60
    while site.counts.total() < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_crawl_that_is_killed_and_interrupted_ends_like_any_other(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disturbed = workspace(tmp_path / "disturbed", site)
    site.requests.clear()
    for stop in (signal.SIGKILL, signal.SIGKILL, signal.SIGINT):
        before = site.counts.total()
        process = start(disturbed.root)
        wait_for_requests(site, before + 60)
        process.send_signal(stop)
        said = process.communicate(timeout=30)[1]
        assert process.returncode == (1 if stop is signal.SIGINT else -stop)
        assert outputs(disturbed) == {}
    assert "Traceback" not in said
    assert "links done and kept" in said
    assert "`dvc repro` continues" in said
    process = start(disturbed.root)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 0, said
    # A kill costs what half a second brought; nothing else is asked for twice.
    assert site.counts.total() < NUM_LINKS + 130

    calm = workspace(tmp_path / "calm", site, requests_per_host=20)
    monkeypatch.chdir(calm.root)
    crawl.main(load_params(calm.params), Paths(Path()), "demo")
    assert outputs(disturbed) == outputs(calm)
    links = pl.read_parquet(calm.dataset("demo").image_links)
    assert links.height == NUM_LINKS
    assert links.group_by("reason", "status").len().sort("reason").rows() == [
        ("", "ok", 180),
        ("http_404", "failed", 20),
    ]
    assert links["attempts"].unique().to_list() == [1]


def test_links_without_manners_are_refused_before_anything_runs(site: Site, tmp_path: Path) -> None:
    paths = workspace(tmp_path / "rude", site)
    text = paths.params.read_text()
    data = YAML(typ="safe").load(text)
    data["datasets"]["demo"]["crawl"] = None
    with paths.params.open("w") as file:
        YAML(typ="safe").dump(data, file)
    with pytest.raises(ValueError, match=r"datasets\.demo\.crawl: found null, but its source"):
        load_params(paths.params)
    data["datasets"]["demo"]["crawl"] = {**MANNERS, "contact": "me", "retry": ["http_5"]}
    with paths.params.open("w") as file:
        YAML(typ="safe").dump(data, file)
    with pytest.raises(ValueError, match=r"crawl\.contact: found 'me'(.|\n)*crawl\.retry\[0\]"):
        load_params(paths.params)
