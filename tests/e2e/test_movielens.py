"""MovieLens 100K through the whole pipeline, with an epoch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mmrec.io import read_json
from mmrec.study.workspace import PROJECT, make_workspace
from tests.e2e.small_shop import text_of
from tests.e2e.team import repro

DATA = Path(os.environ.get("MMREC_REAL_DATA", PROJECT / ".." / "shared" / "data")) / "ml-100k"

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no MovieLens 100K at MMREC_REAL_DATA ({DATA})"),
]


def test_movielens_100k_from_files_to_recommendations(tmp_path: Path) -> None:
    params = YAML(typ="safe").load((PROJECT / "examples" / "movielens-100k.yaml").read_text())
    params["datasets"]["ml-100k"]["clean"]["max_sentences"] = 2
    # Posters, which no run of the example reads: half a minute of vectors.
    params["datasets"]["ml-100k"]["source"]["posters"] = None
    params["embed"]["image"].clear()
    for control in ("itemknn", "transitions"):
        del params["runs"][f"ml-100k-{control}"]
    for model in params["models"].values():
        if model["finetune"] is not None:
            model["finetune"]["epochs"] = 1
    params["report"]["maps"] = []  # a minute of layout that shows nothing of MovieLens
    folder = make_workspace(tmp_path, text_of(params), {"ml-100k": DATA})
    repro(folder)
    summary = read_json(folder / "data" / "datasets" / "ml-100k" / "clean" / "summary.json")
    last = summary["steps"][-1]
    assert (last["users"], last["items"], last["interactions"]) == (943, 1349, 99_287)
    popularity, sasrec, mp4sr = (
        read_json(folder / "data" / "runs" / f"ml-100k-{name}" / "metrics.json")["all"]
        for name in ("popularity", "sasrec", "mp4sr-text")
    )
    assert popularity["num_users"] == sasrec["num_users"] == mp4sr["num_users"] == 943
    # Counted by hand from `u.data`: training counts, history masked.
    assert popularity["recall@20"] == pytest.approx(0.1283, abs=0.002)
    # One epoch already ranks far better than chance (20 / 1,349 = .015).
    assert sasrec["recall@20"] > 0.06
    assert mp4sr["recall@20"] > 0.06
