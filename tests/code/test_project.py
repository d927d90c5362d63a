"""Which stages an edit of the project's own code touches."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mmrec.code.closure import Code
from mmrec.code.sources import CodeError, parse
from tests.code.project_copy import (
    ROOT,
    add_a_model,
    add_a_source,
    add_an_extractor,
    copy_code,
    edit,
    files,
    values,
)

VALUES = values()


@pytest.fixture(scope="module", autouse=True)
def parsed_once() -> Iterator[None]:
    """Most files of a copy have the text that they have in every other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmrec.code.sources.parse", cache(parse))
        yield


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    return files(ROOT, VALUES)


def touched(folder: Path, before: dict[str, str], data: Any = VALUES) -> set[str]:
    """Which files an edited copy has otherwise; files for new entries are new."""
    after = files(folder, data)
    return {name for name in before if after[name] != before[name]}


def test_every_stage_and_entry_has_a_file_of_what_it_reaches(before: dict[str, str]) -> None:
    entries = {"gru4rec", "sasrec", "mp4sr", "popularity"}
    for stage in ("finetune", "evaluate"):
        assert entries <= {n.partition("/")[2] for n in before if n.startswith(f"{stage}/")}
    assert "pretrain/mp4sr" in before
    assert {"clean", "union", "recommend", "report", "crawl/demo", "keywords/demo"} <= {*before}
    assert "mmrec.models.mp4sr.model:Mp4sr" in before["finetune/mp4sr"]
    assert "mmrec.models.mp4sr" not in before["finetune/sasrec"]
    assert "page.html.j2" in before["report"]
    assert len(set(before.values())) > 15


def test_stages_without_models_start_without_torch() -> None:
    code = Code()
    found = {}
    for stage in ("code", "crawl", "clean", "union", "recommend", "report", "finetune"):
        modules = code.closure(f"stages.{stage}", [["datasets", "demo"]], VALUES).modules
        imports = [code.sources.module(name).imports.values() for name in modules]
        named = (reference.module for bound in imports for one in bound for reference in one)
        found[stage] = {name.partition(".")[0] for name in named}
    assert {stage for stage, libraries in found.items() if "torch" in libraries} == {"finetune"}


@pytest.mark.parametrize("add", [add_a_model, add_a_source, add_an_extractor])
def test_what_is_added_touches_nothing(
    add: Callable[[Path], None], before: dict[str, str], tmp_path: Path
) -> None:
    add(copy_code(tmp_path))
    assert touched(tmp_path, before) == set()


def test_an_added_model_has_files_of_its_own_once_an_entry_names_it(
    before: dict[str, str], tmp_path: Path
) -> None:
    add_a_model(copy_code(tmp_path))
    data = {**VALUES, "models": {**VALUES["models"]}, "runs": {**VALUES["runs"]}}
    data["models"]["n"] = {**VALUES["models"]["gru4rec"], "name": "newest"}
    data["runs"]["n"] = {**VALUES["runs"]["demo-gru4rec"], "model": "n"}
    after = files(tmp_path, data)
    assert {"finetune/n", "evaluate/n"} == after.keys() - before.keys()
    assert "mmrec.models.newest.model:Gru4Rec" in after["finetune/n"]
    # The report shows every model's settings, and its params have changed as well.
    assert {name for name in before if after[name] != before[name]} == {"report"}


def test_a_model_without_a_case_is_named(tmp_path: Path) -> None:
    case = """        case "gru4rec":
            from mmrec.models.gru4rec import build as system
"""
    edit(copy_code(tmp_path), "mmrec/models/registry.py", (case, ""))
    with pytest.raises(CodeError, match=r"has a case for 'gru4rec' \(for data/code/.*gru4rec"):
        files(tmp_path, VALUES)


def test_comments_docstrings_and_formatting_touch_nothing(
    before: dict[str, str], tmp_path: Path
) -> None:
    for path in copy_code(tmp_path).rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                node.value = ast.Constant("Another docstring.")
        path.write_text(f"# A comment.\n{ast.unparse(tree)}\n")
    assert touched(tmp_path, before) == set()


def of_models(before: dict[str, str], *names: str) -> set[str]:
    """The files of all entries with these architectures, and of the ensemble of some."""
    entries = {entry for entry, model in VALUES["models"].items() if model["name"] in names}
    stages = ("pretrain", "finetune", "evaluate")
    found = {f"{stage}/{entry}" for stage in stages for entry in entries}
    if {"gru4rec", "itemknn"} & {*names}:  # parts of the ensemble
        found |= {"ensemble/both", "evaluate_ensemble/both"}
    return found & before.keys()


TRAINED = ["mp4sr", "sasrec", "gru4rec"]


@pytest.mark.parametrize(
    ("name", "old", "new", "models"),
    [
        ("nn/recurrent_encoder.py", "return ", "print(); return ", ["gru4rec"]),
        ("nn/sequence_encoder.py", "class SequenceEncoder", "X = 1\n\n\nclass SequenceEncoder", []),
        ("nn/moe.py", "super().__init__()", "super().__init__(); self.x = 1", ["mp4sr"]),
        (
            "nn/attention.py",
            "return ",
            "print(); return ",
            ["mp4sr", "sasrec"],
        ),
        ("models/popularity/model.py", "return ", "print(); return ", ["popularity"]),
        ("models/next_item_training.py", "require_held_out(held_out)", "print()", TRAINED),
    ],
)
def test_a_layer_touches_exactly_the_models_that_use_it(
    name: str, old: str, new: str, models: list[str], before: dict[str, str], tmp_path: Path
) -> None:
    edit(copy_code(tmp_path), f"mmrec/{name}", (old, new))
    found = touched(tmp_path, before)
    assert found == of_models(before, *models)


DATASETS = {name: dataset["source"]["name"] for name, dataset in VALUES["datasets"].items()}
EMBEDDED = {key: entry["extractor"]["name"] for key, entry in VALUES["embed"]["text"].items()}


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        (
            "data/sources/movielens.py",
            "class MovielensSource:",
            "class MovielensSource:\n    x = 1",
            {f"crawl/{name}" for name, source in DATASETS.items() if source == "movielens"},
        ),
        ("demo/shop.py", "PICTURE_SIZE = ", "PICTURE_SIZE = 2 * ", {"crawl/demo"}),
        (
            "features/extractors/sentence_transformer.py",
            "class SentenceTransformerExtractor:",
            "class SentenceTransformerExtractor:\n    x = 1",
            {f"embed_text/{k}" for k, name in EMBEDDED.items() if name == "sentence_transformer"},
        ),
        ("params/datasets.py", "user_core: ", "user_core: PositiveInt | ", {"clean", "report"}),
        ("params/pipeline.py", "top_k: PositiveInt", "top_k: int", {"recommend", "report"}),
        ("params/pipeline.py", "title: str", 'title: str = "x"', {"report"}),
        ("data/union.py", "return ", "print(); return ", {"union"}),
        ("report/page.py", "return ", "print(); return ", {"report"}),
        ("report/page.html.j2", "<html", "<html x", {"report"}),
        ("params/references.py", "yield ", "print(); yield ", set()),
    ],
)
def test_another_edit_touches_the_stages_that_can_tell(
    name: str, old: str, new: str, expected: set[str], before: dict[str, str], tmp_path: Path
) -> None:
    edit(copy_code(tmp_path), f"mmrec/{name}", (old, new))
    assert touched(tmp_path, before) == expected


def test_a_default_of_one_training_touches_that_training(
    before: dict[str, str], tmp_path: Path
) -> None:
    edit(
        copy_code(tmp_path),
        "mmrec/params/models/mp4sr.py",
        ("weight_decay: NonNegativeFloat = 1e-4", "weight_decay: NonNegativeFloat = 2e-4"),
    )
    found = touched(tmp_path, before)
    fine = {name for name in of_models(before, "mp4sr") if not name.startswith("pretrain/")}
    assert found == fine | {"report"}
