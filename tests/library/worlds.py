"""A small shop with finished runs of every kind that needs no extractor."""

from __future__ import annotations

import csv
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mmrec import schemas
from mmrec.io import write_table
from mmrec.params.file import load_params
from mmrec.paths import Paths
from tests.stages.test_stages import DATASET, a_run, an_ensemble, content_knn, params, write_params

KINDS = ("lamp", "shoe", "mug")
NUM_ITEMS = 18
NUM_USERS = 40
SEEN = [3, 7]
"""Places of two items in the catalogue, a history of somebody new."""


def item(place: int) -> str:
    return f"i-{place:02d}"


def shop_params() -> dict[str, Any]:
    """A shop of tables; SASRec, popularity, item-kNN, words, and an ensemble of two of these."""
    data = params()
    source = {
        "name": "tabular",
        "interactions": {
            "file": "log.csv",
            "rating": None,
            "user_id": "who",
            "item_id": "sku",
            "timestamp": "when",
            "timestamp_unit": "s",
        },
        "items": {
            "file": "items.csv",
            "item_id": "sku",
            "title": "name",
            "texts": ["about", "shelf"],
            "image_files": None,
            "image_folder": None,
            "image_urls": None,
        },
    }
    data["datasets"] = {"shop": {**DATASET, "files": "files", "source": source}}
    data["unions"], data["pretrainings"] = {}, {}
    data["embed"] = {"text": {}, "image": {}, "pair": {}}
    data["models"] |= {
        "untrained": data["models"]["sasrec"],
        "tfidf": content_knn({"name": "tfidf"}),
    }
    data["runs"] = {
        **{name: a_run("shop", name) for name in ("sasrec", "popularity", "itemknn", "untrained")},
        "tfidf": a_run("shop", "tfidf", text="bag_of_words"),
    }
    data["ensembles"] = {"two": an_ensemble("shop", "sasrec", "itemknn")}
    data["evaluate"] |= {"lists_at": [6], "cold_positions": None, "mask_history": True}
    data["validation"] = {"mask_history": True}
    data["recommend"] |= {"run": "sasrec", "top_k": 5, "keep_seen": False}
    data["report"] |= {"dataset": "shop", "maps": [], "categories": [*KINDS]}
    return data


def write_shop(folder: Path) -> None:
    """Items of three kinds, one of which is in no text; users who keep to two of them."""
    files = folder / "files"
    files.mkdir()
    with (files / "items.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sku", "name", "about", "shelf"])
        for place in range(NUM_ITEMS):
            kind = KINDS[place % 3]
            title = f"Thing {place}" if place == 4 else f"A {kind} no. {place}"
            rows.writerow(
                [item(place), title, "Useful, red and new.", "upper" if place < 6 else ""]
            )
    generator = np.random.default_rng(1)
    with (files / "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["who", "sku", "when"])
        for user in range(NUM_USERS):
            chosen = generator.permutation(NUM_ITEMS - 1)[: 4 + user % 5]
            for step, place in enumerate(chosen):
                rows.writerow([f"u{user}", item(place), 1000 + step])


def write_feature(shop: Path, name: str, places: list[tuple[int, ...]], *, tokens: bool) -> None:
    """A feature with rows of two numbers: item, position, and token of token states."""
    make = schemas.token_features if tokens else schemas.features
    schema = make(2, pa.float16())
    values = np.arange(2 * len(places)).astype(np.float16)
    columns = {
        "item_id": [item(place[0]) for place in places],
        "position": [place[1] for place in places],
        **({"token": [place[2] for place in places]} if tokens else {}),
        "content_key": pa.array([bytes(16)] * len(places), schemas.CONTENT_KEY),
        "embedding": pa.FixedSizeListArray.from_arrays(values, type=schema.field("embedding").type),
    }
    folder = Paths(shop).dataset("shop").features(name)
    write_table(pa.table(columns, schema=schema), folder / "part-00000.parquet", schema)


def make_shop(folder: Path) -> None:
    """Every stage but of `untrained`, in this process; two features that no run reads."""
    write_shop(folder)
    checked = write_params(shop_params(), folder)
    note = Paths(folder).pretraining("none").pretrained
    note.mkdir(parents=True)
    root = Path(__file__).parents[2]
    for path in Paths(root).pretraining("none").pretrained.iterdir():
        (note / path.name).write_bytes(path.read_bytes())
    trained = [name for name in checked.runs if name != "untrained"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage, keys in (
            ("crawl", ["shop"]),
            ("clean", ["shop"]),
            ("finetune", trained),
            ("evaluate", trained),
            ("ensemble", ["two"]),
            ("evaluate_ensemble", ["two"]),
        ):
            for key in keys:
                main = importlib.import_module(f"stages.{stage}").main
                main(load_params(Path("params.yaml")), Paths(Path()), key)
        importlib.import_module("stages.recommend").main(checked, Paths(Path()))
    write_feature(folder, "sentences", [(2, 0), (2, 1), (5, 0)], tokens=False)
    write_feature(folder, "states", [(2, 0, 0), (2, 0, 1), (5, 0, 0)], tokens=True)
