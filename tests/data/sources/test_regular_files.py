"""Files of a source that are none: said so, and never waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmrec.data.sources.build import build_source
from mmrec.io import DataError
from mmrec.params import sources as params
from mmrec.paths import Paths
from stages import crawl
from tests.data.raw_world import histories, items, jpeg, write_raw
from tests.stages.test_stages import params as all_params
from tests.stages.test_stages import write_files, write_params

LOG = params.TabularInteractions(
    file="log.csv", user_id="u", item_id="i", timestamp=None, timestamp_unit=None, rating=None
)
PIPES: dict[str, params.SourceParams] = {
    "log.csv": params.TabularSourceParams(name="tabular", interactions=LOG, items=None),
    "plain.txt": params.SequencesSourceParams(name="sequences", file="plain.txt"),
    "ratings.dat": params.MovielensSourceParams(
        name="movielens", layout="1m", posters=None, metadata=None
    ),
    "reviews.json.gz": params.AmazonSourceParams(
        name="amazon", layout=2018, reviews="reviews.json.gz", metadata=None, images="none"
    ),
}


@pytest.mark.parametrize("name", PIPES)
def test_a_pipe_is_no_source_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "movies.dat").write_text("1::A film::Drama\n")
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match=f"{name}: expected a file, found a named pipe; put"):
        build_source(PIPES[name], tmp_path).read()


@pytest.mark.parametrize("name", ["items.parquet", "summary.json", "images/part-00001.parquet"])
def test_a_pipe_is_no_raw_table(tmp_path: Path, name: str) -> None:
    write_raw(tmp_path, items("a"), histories(u="a"))
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match=f"{name}: expected a file, found a named pipe"):
        build_source(params.RawSourceParams(name="raw"), tmp_path).read()


@pytest.mark.parametrize("allowed", [False, True])
def test_the_dataset_says_whether_pictures_may_lie_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, allowed: bool
) -> None:
    write_files(tmp_path)
    (tmp_path / "private.jpg").write_bytes(jpeg(1))
    (tmp_path / "files" / "missing.jpg").symlink_to(tmp_path / "private.jpg")
    data = all_params()
    data["datasets"]["shop"]["allow_links_outside"] = allowed
    monkeypatch.chdir(tmp_path)
    summary = crawl.main(write_params(data, tmp_path), Paths(Path()), "shop")
    assert summary["images"] == {
        "links": 7,
        "ok": 6 + allowed,
        **({} if allowed else {"failed: link_outside_folder": 1}),
        "contents": 6 + allowed,
        "bytes": summary["images"]["bytes"],
    }
