"""Captions with pictures and no users, through every stage before training; and in a union."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image
from ruamel.yaml import YAML
from safetensors.torch import load_file

from mmrec import schemas
from mmrec.io import read_table
from mmrec.models.data import load_model_data
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from tests.features.checkpoints import write_checkpoint
from tests.stages.test_stages import (
    DATASET,
    KEYWORDS,
    TRAINING,
    params,
    run_stage,
    text_feature,
    token_features,
    write_files,
    write_params,
)

CAPTIONS = {
    **{"c1": "A red shoe.", "c2": "A blue lamp.", "c3": "", "c4": "A red shoe."},
    **{"c5": "A grey coat.", "c6": "A pink ball."},
}
PICTURES = {"c1": "red", "c2": "blue", "c3": "green", "c5": "grey", "c6": "pink"}
MMSREC = {
    "name": "mmsrec",
    "architecture": {"embedding_dim": 8, "feedforward_dim": 8},
    "pretrain": TRAINING,
    "finetune": TRAINING,
}


def with_captions() -> dict[str, Any]:
    """The tiny shop, captions in a table, and the union of the two."""
    data = params()
    source = data["datasets"]["shop"]["source"]
    items = source["items"] | {"file": "captions.csv", "texts": [], "image_files": "picture"}
    clean = DATASET["clean"] | {"text_fields": ["title"], "user_core": 0}
    data["datasets"]["captions"] = {
        **DATASET,
        "files": "files",
        "source": source | {"interactions": None, "items": items},
        "clean": clean,
        "keywords": KEYWORDS,
    }
    data["datasets"]["wider"] = data["datasets"]["both"] | {"files": "data/unions/wider"}
    data["unions"]["wider"] = {"left": "captions", "right": "shop"}
    embed, tokens = data["embed"], token_features()
    of_captions = {"dataset": "captions"}
    embed["text"]["captions"] = text_feature("captions", "clean/sentences.parquet", "sentences")
    embed["text"]["captions-words"] = text_feature("captions", "keywords/keywords.parquet", "words")
    embed["image"]["captions"] = embed["image"]["shop-pictures"] | of_captions
    embed["pair"]["captions"] = tokens["pair"] | of_captions
    data["models"]["mmsrec"] = MMSREC
    entry = {"model": "mmsrec", "text": "sentences", "image": "pictures", "seed": 1}
    data["pretrainings"]["captions"] = {"dataset": "captions", **entry}
    data["runs"]["from-captions"] = {"dataset": "shop", "init_from": "captions", **entry}
    return data


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Params]]:
    folder = tmp_path_factory.mktemp("captions")
    write_files(folder)
    write_checkpoint("clip", folder / "tiny-clip")
    rows = [f"{name},{text},{name}.png" for name, text in CAPTIONS.items()]
    (folder / "files" / "captions.csv").write_text("\n".join(["sku,name,picture", *rows]) + "\n")
    for name, colour in PICTURES.items():
        Image.new("RGB", (20, 16), colour).save(folder / "files" / f"{name}.png")
    checked = write_params(with_captions(), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MMREC_CACHE", str(folder / "cache"))
        for stage, *keys in (
            ("crawl", "captions", "shop"),
            ("union", "wider"),
            ("crawl", "wider"),
            ("clean", "captions", "shop", "wider"),
            ("keywords", "captions"),
            ("embed_text", "captions", "captions-words", "shop-sentences"),
            ("embed_image", "captions", "shop-pictures"),
            ("embed_pair", "captions"),
            ("pretrain", "captions"),
            ("finetune", "from-captions"),
        ):
            for key in keys:
                importlib.import_module(f"stages.{stage}").main(checked, Paths(Path()), key)
        yield folder, checked


def test_every_caption_is_an_item_and_nobody_is_a_user(world: tuple[Path, Params]) -> None:
    dataset = Paths(world[0]).dataset("captions")
    items = read_table(dataset.items, schemas.CLEAN_ITEMS).to_pydict()
    assert items["item_id"] == list(CAPTIONS)
    assert items["num_sentences"] == [1, 1, 0, 1, 1, 1]
    assert items["num_images"] == [1, 1, 1, 0, 1, 1]
    assert read_table(dataset.users, schemas.CLEAN_USERS).num_rows == 0
    assert read_table(dataset.sequences, schemas.CLEAN_SEQUENCES).num_rows == 0
    assert json.loads(dataset.raw_summary.read_text())["has_users"] is False
    assert json.loads(dataset.clean_summary.read_text())["has_users"] is False


def test_captions_have_features_of_every_kind(world: tuple[Path, Params]) -> None:
    dataset = Paths(world[0]).dataset("captions")
    data = load_model_data(dataset, text="sentences", image="pictures")
    present = [
        (data.features[modality].vectors.offsets.diff() > 0).tolist()
        for modality in ("text", "image")
    ]
    # The padding comes first.
    assert present == [
        [False, True, True, False, True, True, True],
        [False, True, True, True, False, True, True],
    ]
    assert data.sequences.num_users == 0
    assert data.is_cold[1:].all()
    words = pl.read_parquet(dataset.features("words") / "part-*.parquet")
    assert words["item_id"].to_list() == list(PICTURES)
    pairs = pl.read_parquet(dataset.features("pair-tokens") / "part-*.parquet")
    assert set(pairs["item_id"]) <= set(CAPTIONS)
    assert len(pairs)


def test_a_union_with_captions_has_the_items_of_both_and_the_users_of_the_shop(
    world: tuple[Path, Params],
) -> None:
    dataset = Paths(world[0]).dataset("wider")
    items = pl.read_parquet(dataset.items)
    counts = items.group_by(items["item_id"].str.split("/").list.first()).len()
    assert dict(counts.rows()) == {"captions": 6, "shop": 8}
    of_captions = items.filter(pl.col("item_id").str.starts_with("captions/"))
    assert of_captions["training_count"].to_list() == [0] * 6
    users = pl.read_parquet(dataset.users)
    assert len(users) == 11
    assert all(name.startswith("shop/") for name in users["user_id"])
    times = pl.read_parquet(dataset.sequences)["timestamps_ns"].explode()
    assert times.min() > 0, "the shop's times are kept"


def test_what_is_learned_of_captions_starts_a_run_of_a_shop_with_users(
    world: tuple[Path, Params],
) -> None:
    paths = Paths(world[0])
    pretrained, run = paths.pretraining("captions").pretrained, paths.run("from-captions").finetuned
    record = json.loads((pretrained / "model.json").read_text())
    counts = {name: value for name, value in record.items() if name.startswith("items_")}
    assert counts == {"items_trained_on": 2, "items_held_out": 2, "items_left_out": 2}
    before, after = (load_file(folder / "model.safetensors") for folder in (pretrained, run))
    assert before.keys() == after.keys()


def test_a_run_on_captions_ends_before_anything_is_read(tmp_path: Path) -> None:
    data = with_captions()
    data["runs"]["plain-itemknn"]["dataset"] = "captions"
    YAML(typ="safe").dump(data, tmp_path / "params.yaml")
    done = run_stage(tmp_path, "stages.finetune", "plain-itemknn")
    assert done.returncode == 1
    assert "runs.plain-itemknn.dataset: found 'captions', which has no users" in done.stderr
    assert "Traceback" not in done.stderr
