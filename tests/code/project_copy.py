"""A copy of the project's code, edited, and the files by which DVC sees the edits."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mmrec.code.closure import PROJECT, Code
from mmrec.code.pipeline import closures
from mmrec.params.pipeline import Params

ROOT = PROJECT.root


def values() -> dict[str, Any]:
    """The shipped params and those of an example, with a GRU4Rec and no ensemble but one of it."""
    data: dict[str, Any] = YAML(typ="safe").load(ROOT / "params.yaml")
    example = YAML(typ="safe").load(ROOT / "examples" / "movielens-100k.yaml")
    for section in ("datasets", "pretrainings", "runs"):
        data[section] |= example[section]
    for kind in ("text", "image", "pair"):
        data["embed"][kind] |= example["embed"][kind]
    data["unions"]["both"] = {"left": "demo", "right": "ml-100k"}
    data["models"] = {**example["models"], **data["models"]}
    data["models"]["gru4rec"] = {**data["models"]["sasrec"], "name": "gru4rec"}
    data["runs"]["demo-gru4rec"] = {
        **data["runs"]["demo-sasrec"],
        "model": "gru4rec",
    }
    slots = {"text": "none", "image": "none"}
    data["ensembles"] = {
        "both": {
            "dataset": "demo",
            "first": {"run": "demo-gru4rec", **slots},
            "second": {"run": "demo-itemknn", **slots},
            "third": {"run": "none", **slots},
            "metric": "ndcg@10",
            "weights": {"name": "global", "steps": 10},
        }
    }
    return Params.model_validate(data).model_dump()


def copy_code(folder: Path) -> Path:
    """The Python files of the project, and what lies beside them."""
    for package in PROJECT.packages:
        ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    return folder


def edit(folder: Path, name: str, *changes: tuple[str, str]) -> None:
    """Replace texts of a file, each of which it has."""
    path = folder / name
    text = path.read_text()
    for old, new in changes:
        assert old in text, f"{name}: {old}"
        text = text.replace(old, new)
    path.write_text(text)


def files(folder: Path, data: Mapping[str, Any]) -> dict[str, str]:
    """The file of every stage and entry, without folder and ending."""
    found = closures(ROOT / "dvc.yaml", data, Code(PROJECT._replace(root=folder)))
    return {
        name.removeprefix("data/code/").removesuffix(".txt"): closure.text
        for name, closure in found.items()
    }


def add_a_model(folder: Path) -> None:
    """GRU4Rec under another name: its folder, its params and a line of each registry."""
    shutil.copytree(folder / "mmrec" / "models" / "gru4rec", folder / "mmrec" / "models" / "newest")
    params = folder / "mmrec" / "params" / "models"
    text = (params / "gru4rec.py").read_text()
    (params / "newest.py").write_text(text.replace('"gru4rec"', '"newest"').replace("Gru4", "New4"))
    edit(
        folder,
        "mmrec/models/newest/build.py",
        ("mmrec.models.gru4rec", "mmrec.models.newest"),
        ("mmrec.params.models.gru4rec", "mmrec.params.models.newest"),
        ("Gru4RecParams", "New4RecParams"),
    )
    edit(
        folder,
        "mmrec/params/models/registry.py",
        (
            "\n\nModelParams = Annotated[\n",
            "\nfrom mmrec.params.models.newest import New4RecParams\n\n"
            "ModelParams = Annotated[\n    New4RecParams |",
        ),
    )
    case = """    match params.name:
        case "newest":
            from mmrec.models.newest import build as system
"""
    edit(folder, "mmrec/models/registry.py", ("    match params.name:\n", case))


def add_a_source(folder: Path) -> None:
    """A source whose pictures lie on the web, with its class of params and its case."""
    sources = folder / "mmrec" / "data" / "sources"
    shutil.copy(sources / "raw.py", sources / "newest.py")
    params = 'class NewestSourceParams(Section):\n    """N."""\n\n    name: Literal["newest"]\n\n\n'
    edit(
        folder,
        "mmrec/params/sources.py",
        (
            "SourceParams = Annotated[\n",
            f"{params}SourceParams = Annotated[\n    NewestSourceParams\n    | ",
        ),
        (
            "        case GoodreadsSourceParams():",
            "        case NewestSourceParams():\n            return True\n"
            "        case GoodreadsSourceParams():",
        ),
    )
    case = """        case NewestSourceParams():
            from mmrec.data.sources.newest import RawSource

            return RawSource(files)
        case _:"""
    edit(
        folder,
        "mmrec/data/sources/build.py",
        ("    MovielensSourceParams,\n", "    MovielensSourceParams,\n    NewestSourceParams,\n"),
        ("        case _:", case),
    )


def add_an_extractor(folder: Path) -> None:
    """An extractor of texts, with its class of params and its case."""
    features = folder / "mmrec" / "features" / "extractors"
    shutil.copy(features / "sentence_transformer.py", features / "newest.py")
    params = (
        'class NewestTextParams(Section):\n    """N."""\n\n    name: Literal["newest_text"]\n\n\n'
    )
    edit(
        folder,
        "mmrec/params/features.py",
        (
            "TextExtractorParams = Annotated[\n    ",
            f"{params}TextExtractorParams = Annotated[\n    NewestTextParams | ",
        ),
    )
    case = """        case NewestTextParams():
            from mmrec.features.extractors.newest import SentenceTransformerExtractor

            return SentenceTransformerExtractor("m")
        case OpenClipTextParams():"""
    edit(
        folder,
        "mmrec/features/extractors/build.py",
        ("    OpenClipTextParams,\n", "    NewestTextParams,\n    OpenClipTextParams,\n"),
        ("        case OpenClipTextParams():", case),
    )
