"""Datasets without users: which they are, and what cannot be asked of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mmrec.params.file import load_params
from mmrec.params.model import SystemParams
from mmrec.params.pipeline import Params
from mmrec.params.users import datasets_without_users
from tests.params.test_file import PRETRAINING, messages

ROOT = Path(__file__).parents[2]
CAPTIONS: dict[str, Any] = {
    "name": "tabular",
    "interactions": None,
    "items": {
        "file": "captions.csv",
        "item_id": "id",
        "title": "caption",
        "texts": [],
        "image_files": "picture",
        "image_folder": None,
        "image_urls": None,
    },
}


def a_dataset(demo: dict[str, Any], source: object, files: str = "x", **clean: Any) -> Any:
    everything = {"text_fields": ["title"], "user_core": 0, "item_core": 0}
    return {**demo, "files": files, "source": source, "clean": demo["clean"] | everything | clean}


@pytest.fixture
def data() -> Any:
    """The project's file, with captions and their pictures as another dataset."""
    found = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    found["datasets"]["captions"] = a_dataset(found["datasets"]["demo"], CAPTIONS)
    return found


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[Any], Params]:
    def load(data: Any) -> Params:
        path = tmp_path / "params.yaml"
        with path.open("w") as file:
            YAML(typ="safe").dump(data, file)
        return load_params(path)

    return load


def test_a_catalogue_without_a_log_is_a_dataset_without_users(
    data: Any, loaded: Callable[[Any], Params]
) -> None:
    assert datasets_without_users(loaded(data)) == {"captions"}


def test_neither_log_nor_catalogue_is_one_message(data: Any, tmp_path: Path) -> None:
    data["datasets"]["captions"]["source"] = CAPTIONS | {"items": None}
    assert messages(data, tmp_path) == [
        "params.yaml: 1 error",
        "  datasets.captions.source.items: found None; interactions are null, too; name the "
        "columns of at least one",
    ]


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        (
            "user_core",
            5,
            "found 5, but the dataset has no users, so that there are no",
        ),
        (
            "item_core",
            1,
            "found 1, but the dataset has no users, so that there are no",
        ),
        ("min_rating", 3.5, "no interactions to go by; set it to null"),
    ],
)
def test_settings_that_are_about_interactions_are_refused(
    data: Any, tmp_path: Path, setting: str, value: object, says: str
) -> None:
    data["datasets"]["captions"]["clean"][setting] = value
    (_, line) = messages(data, tmp_path)
    assert line.strip().startswith(f"datasets.captions.clean.{setting}: ")
    assert says in line


def test_a_run_on_a_dataset_without_users_is_refused(data: Any, tmp_path: Path) -> None:
    data["runs"]["captions-sasrec"] = data["runs"]["demo-sasrec"] | {"dataset": "captions"}
    (_, line) = messages(data, tmp_path)
    assert line.strip() == (
        "runs.captions-sasrec.dataset: found 'captions', which has no users to fine-tune on and to "
        "evaluate on; name a dataset with interactions (it may start from a pre-training on this "
        "one), or a union with one"
    )


def test_a_pretraining_on_users_is_refused_and_one_on_items_is_not(
    data: Any, tmp_path: Path, loaded: Callable[[Any], Params], monkeypatch: pytest.MonkeyPatch
) -> None:
    data["embed"]["text"]["captions"] = data["embed"]["text"]["demo-sentences"] | {
        "dataset": "captions"
    }
    data["embed"]["image"]["captions"] = data["embed"]["image"]["demo-clip_image"] | {
        "dataset": "captions"
    }
    data["pretrainings"]["captions"] = PRETRAINING | {"dataset": "captions"}
    (_, line) = messages(data, tmp_path)
    assert line.strip() == (
        "pretrainings.captions.dataset: found 'captions', which has no users, but model 'mp4sr' "
        "(mp4sr) is pre-trained on their sequences; name a dataset with interactions, or a model "
        "that is pre-trained on items"
    )
    asked = []

    def on_items(_: SystemParams, stage: str) -> str:
        asked.append(stage)
        return "items"

    monkeypatch.setattr(SystemParams, "trains_on", on_items)
    assert loaded(data).pretrainings["captions"].dataset == "captions"
    assert asked == ["pretrain"]


def test_a_union_has_users_if_either_side_has(data: Any, loaded: Callable[[Any], Params]) -> None:
    demo = data["datasets"]["demo"]
    data["datasets"]["more"] = a_dataset(demo, CAPTIONS)
    data["unions"] = {
        "shop": {"left": "demo", "right": "captions"},
        "all_captions": {"left": "more", "right": "captions"},
        "nested": {"left": "pictures", "right": "more"},
    }
    folders = {
        "shop": "data/unions/shop",
        "pictures": "data/unions/all_captions",
        "nested": "./data/unions/nested/",
        "again": "data/datasets/captions/raw",
        "elsewhere": "/somewhere/raw",
    }
    for name, folder in folders.items():
        data["datasets"][name] = a_dataset(demo, {"name": "raw"}, folder)
    without = {"captions", "more", "pictures", "nested", "again"}
    assert datasets_without_users(loaded(data)) == without


def test_a_circle_of_unions_ends(data: Any, loaded: Callable[[Any], Params]) -> None:
    # DVC says what is wrong with it.
    demo = data["datasets"]["demo"]
    data["unions"] = {"u": {"left": "circle", "right": "captions"}}
    data["datasets"]["circle"] = a_dataset(demo, {"name": "raw"}, "data/unions/u")
    assert datasets_without_users(loaded(data)) == {"captions"}


def test_a_dataset_that_is_wrong_itself_is_told_beside_the_others(
    data: Any, tmp_path: Path
) -> None:
    data["datasets"]["captions"]["clean"]["item_core"] = 1
    data["datasets"]["wrong"] = {"source": CAPTIONS}
    text = "\n".join(messages(data, tmp_path))
    assert "datasets.captions.clean.item_core: found 1, but the dataset has no users" in text
    assert "datasets.wrong.clean: missing" in text
