"""Features searched by words and by pictures, by the encoders that the project ships or makes."""

from __future__ import annotations

import importlib
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mmrec import Filters, open_feature, schemas
from mmrec.cli import search
from mmrec.data.images import decode_image
from mmrec.demo.clip_recipe import CLIP_DIR
from mmrec.evaluation.lists import unit_rows
from mmrec.evaluation.vectors import Vectors
from mmrec.features.extractors.build import build_image_extractor, build_text_extractor
from mmrec.io import DataError, write_table
from mmrec.library.feature import FeatureRows
from mmrec.params.features import OpenClipImageParams, OpenClipTextParams
from mmrec.paths import Paths
from tests.features.worlds import images, write_raw_images, write_tiny_timm
from tests.library.search_worlds import DRAWN, MINILM, clip, drawing, features
from tests.library.test_page import BLOCKS
from tests.library.test_terminal import call
from tests.library.worlds import item, shop_params
from tests.stages.test_stages import write_params


@pytest.fixture(scope="module")
def project(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with some pictures, and features of texts and of these."""
    folder = tmp_path_factory.mktemp("search")
    shutil.copytree(shop / "data" / "datasets", folder / "data" / "datasets")
    (folder / "clip").symlink_to(CLIP_DIR)
    write_tiny_timm(folder / "timm")
    params = shop_params()
    params["embed"] = features()
    checked = write_params(params, folder)
    dataset = Paths(folder).dataset("shop")
    pictures = [(place, view, drawing(place, view)) for place in DRAWN for view in (0, 1)]
    twins = [(8, view, data) for place, view, data in pictures if place == 5]
    rows = [(item(place), view, data) for place, view, data in [*pictures, *twins]]
    write_table(images(rows), dataset.images, schemas.IMAGES)
    shutil.rmtree(dataset.raw_images)
    write_raw_images(dataset.raw_images, [data for _, _, data in pictures])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MMREC_CACHE", str(folder / "cache"))
        patch.setenv("MMREC_CACHE_REMOTE", "off")
        wanted = [("text", "titles"), ("image", "drawings"), ("image", "timm")]
        for kind, key in [*wanted, *([("text", "minilm")] if find_spec(MINILM) else [])]:
            importlib.import_module(f"stages.embed_{kind}").main(checked, Paths(Path()), key)
    return folder


@pytest.fixture(scope="module")
def towers() -> dict[str, Any]:
    """Both of the demo's CLIP, loaded apart from what is tested."""
    text = {**clip("open_clip_text", normalize=True), "model": str(CLIP_DIR)}
    image = {**clip("open_clip_image", normalize=True), "model": str(CLIP_DIR)}
    return {
        "words": build_text_extractor(OpenClipTextParams.model_validate(text)),
        "picture": build_image_extractor(OpenClipImageParams.model_validate(image)),
    }


def by_hand(feature: FeatureRows, query: Vectors) -> list[tuple[str, int, float]]:
    """Item, position and cosine of every item's best content."""
    units = unit_rows(feature.tensor.float().numpy()).astype(np.float64)
    cosines = (units * unit_rows(query)[0].astype(np.float64)).sum(1).astype(np.float32)
    rows = zip(*feature.rows.get_columns(), cosines.tolist(), strict=True)
    best: dict[str, tuple[str, int, float]] = {}
    for name, position, score in sorted(rows, key=lambda row: (-row[2], row[0], row[1])):
        best.setdefault(name, (name, position, score))
    return [*best.values()]


def test_words_find_what_is_drawn(project: Path) -> None:
    feature = open_feature("shop", "drawings", project)
    found = feature.search(" a <b>red</b>  mug", k=3)
    assert found.columns == ["query", "rank", "item_id", "title", "score", "position"]
    assert found["query"].unique().to_list() == ["a red mug"]
    assert found["item_id"].to_list()[:2] == [item(5), item(8)], "twins: the first in front"
    assert found["title"].to_list()[:2] == ["A mug no. 5", "A mug no. 8"]
    assert found["rank"].to_list() == [1, 2, 3]
    assert feature.search("a green lamp", k=1)["item_id"].item() == item(3)
    assert feature.search("a lamp", k=99).height == len(DRAWN) + 1, "those with pictures"


@pytest.mark.parametrize("name", ["titles", "drawings"])
def test_a_list_is_that_of_every_items_best_content(
    name: str, project: Path, towers: dict[str, Any]
) -> None:
    feature = open_feature("shop", name, project)
    words, picture = "A lamp no. 3", drawing(3, 1)
    for found, query in (
        (feature.search(words, k=99), towers["words"].encode([words])),
        (feature.search(picture=picture, k=99), towers["picture"].encode([decode_image(picture)])),
    ):
        expected = by_hand(feature, query)
        assert found.select("item_id", "position").rows() == [row[:2] for row in expected]
        assert found["score"].to_list() == pytest.approx([row[2] for row in expected], abs=1e-6)
    own = "words" if name == "titles" else "picture"
    content = {"words": words, "picture": picture}[own]
    best = feature.search(**{own: content}, k=1).row(0, named=True)  # type: ignore[arg-type]
    assert (best["item_id"], best["position"]) == (item(3), 0 if name == "titles" else 1)
    assert best["score"] == pytest.approx(1, abs=1e-3), "it is this content itself"


def test_filters_say_what_may_be_found(project: Path) -> None:
    feature = open_feature("shop", "drawings", project)
    whole = feature.search("a red mug", k=99)
    assert (
        feature.search("a red mug", k=2, filters=Filters(exclude=[item(5)]))
        .drop("rank")
        .equals(whole.filter(pl.col("item_id") != item(5)).head(2).drop("rank"))
    )
    some = [item(0), item(2), item(11)]
    alone = feature.search("a red mug", k=99, filters=Filters(include=some))
    assert {*alone["item_id"]} == {item(0), item(2)}, "item 11 has no picture"
    lamps = feature.search("a red mug", k=99, filters=Filters(category="lamp"))
    assert {*lamps["item_id"]} == {item(0), item(3)}
    nothing = feature.search("a red mug", filters=Filters(category="shoe", exclude=[item(8)]))
    assert nothing.height == 0, "shoes have no pictures"
    assert nothing.columns == whole.columns
    limited = feature.search("a red mug", k=99, filters=Filters(max_per_category=1))
    expected = [item(5), next(one for one in whole["item_id"] if one in (item(0), item(3)))]
    assert limited["item_id"].to_list() == expected


def test_a_diverse_list_has_no_twins_in_front(project: Path) -> None:
    feature = open_feature("shop", "drawings", project)
    assert feature.search("a red mug", k=2)["item_id"].to_list() == [item(5), item(8)]
    found = feature.search("a red mug", k=9, filters=Filters(diversity=0.9))
    assert found["item_id"][0] == item(5)
    assert found["item_id"][1] != item(8), "which shows the same"
    whole = feature.search("a red mug", k=9)
    assert found.drop("rank").sort("item_id").equals(whole.drop("rank").sort("item_id"))


def test_pictures_are_found_by_a_backbone_of_pictures(project: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(drawing(2, 1))
    feature = open_feature("shop", "timm", project)
    best = feature.search(picture=tmp_path / "mine.png", k=1).row(0, named=True)
    assert (best["query"], best["item_id"]) == (str(tmp_path / "mine.png"), item(2))
    assert best["position"] == 1


@pytest.mark.skipif(find_spec(MINILM) is None, reason="needs the extra `embedded`")
def test_sentences_are_found_by_their_encoder(project: Path) -> None:
    found = open_feature("shop", "minilm", project).search("a mug with the number 11", k=6)
    assert all("mug" in title for title in found["title"][:3])
    assert found["title"][0] == "A mug no. 11"


@pytest.mark.parametrize(
    ("feature", "query", "says"),
    [
        ("drawings", {}, "words or picture: found neither, expected one of them"),
        ("drawings", {"words": "x", "picture": b"x"}, "words or picture: found both"),
        ("drawings", {"words": "<p> "}, "words: found '<p> ', expected what to look for"),
        ("drawings", {"words": "mug", "k": 0}, "k: found 0, expected at least 1"),
        ("drawings", {"words": "mug", "filters": Filters(category="hat")}, "category: found 'hat'"),
        ("drawings", {"words": "mug", "filters": Filters(exclude=["I-5"])}, "did you mean 'i-05'"),
        ("drawings", {"picture": b"x"}, "picture: not_an_image; take another picture"),
        ("drawings", {"picture": "no.png"}, r"no\.png: file not found; name a picture"),
        ("timm", {"words": "mug"}, r"\(timm_image\) does not read words; ask with pictures, or"),
        (
            "minilm",
            {"picture": drawing(2, 0)},
            r"\(sentence_transformer\) does not read pictures; ask with words, or take a feature "
            "of open_clip_text or open_clip_image or timm_image",
        ),
        ("states", {"words": "mug"}, r"states of tokens \(transformer_text_tokens\), expected one"),
        ("sentences", {"words": "mug"}, "feature 'sentences' is knocked out"),
        ("bag_of_words", {"words": "mug"}, "feature 'bag_of_words': no entry of `embed` writes it"),
    ],
)
def test_what_cannot_be_searched_says_why(
    feature: str, query: dict[str, Any], says: str, project: Path
) -> None:
    with pytest.raises((ValueError, DataError), match=says) as found:
        open_feature("shop", feature, project).search(**query)
    assert "\n" not in str(found.value)


def test_a_feature_of_other_settings_is_not_searched(project: Path, tmp_path: Path) -> None:
    for path in project.iterdir():
        if path.name != "params.yaml":
            (tmp_path / path.name).symlink_to(path)
    changed = shop_params() | {"embed": features()}
    changed["embed"]["image"]["drawings"]["extractor"]["normalize"] = False
    write_params(changed, tmp_path)
    with pytest.raises(DataError, match=r"another extractor .* \(other: normalize\); run"):
        open_feature("shop", "drawings", tmp_path).search("mug")


def test_the_terminal_shows_and_writes_what_is_found(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(project)
    options = ("--dataset", "shop", "--feature", "drawings", "-k", "2")
    call(search, "a red mug", *options)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "query a red mug"
    assert [line.split()[1] for line in lines[2:]] == [item(5), item(8)]
    call(search, "a red mug", *options, "--exclude", item(5), "--category", "mug")
    shown = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[1] for line in shown] == [item(8), item(2)]
    call(search, "a red mug", *options, "--category", "shoe", "--exclude", item(8))
    assert capsys.readouterr().out == "no item is left for the list\n"
    (tmp_path / "mine.png").write_bytes(drawing(0, 1))
    out = tmp_path / "found.csv"
    call(search, "--picture", str(tmp_path / "mine.png"), *options, "--output", str(out))
    assert pl.read_csv(out)["item_id"][0] == item(0)
    with pytest.raises(SystemExit):
        call(search, *options)


def test_the_example_of_the_page_runs(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in project.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "mug.jpg").write_bytes(drawing(2, 0))
    monkeypatch.chdir(tmp_path)
    (block,) = [block for block in BLOCKS if ".search(" in block]
    names: dict[str, Any] = {"open_feature": open_feature}
    exec(block.replace('"demo", "clip_image"', '"shop", "drawings"'), names)
    assert names["mugs"]["item_id"][0] == item(5)
    assert names["alike"]["item_id"][0] == item(2)
