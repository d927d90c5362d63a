"""Which section classes and which cases of a registry count for whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmrec.code.sources import CodeError
from tests.code.packages import closure, names, write

FILE = """
from shop.params.models import ModelParams
from shop.params.section import Section

class Crawl(Section):
    polite: bool = True

class Dataset(Section):
    crawl: Crawl | None
    files: str
    def checked(self): ...

class Params(Section):
    datasets: dict[str, Dataset]
    models: dict[str, ModelParams]
"""
MODELS = """
from typing import Annotated, Literal
from pydantic import Field
from shop.params.section import Section

Share = Annotated[float, Field(ge=0)]

class Full(Section):
    name: Literal["full"]

class Sampled(Section):
    name: Literal["sampled"]
    negatives: int = 3

Loss = Annotated[Full | Sampled, Field(discriminator="name")]

class Training(Section):
    loss: Loss = Field(default_factory=lambda: Full(name="full"))
    share: Share = 0.5

class Base(Section):
    architecture: int
    pretrain: Training | None
    finetune: list[Training]

class First(Base):
    name: Literal["first"]

class Second(Base):
    name: Literal["second"]

ModelParams = Annotated[First | Second, Field(discriminator="name")]
"""
BUILD = """
from typing import assert_never
from shop.params.models import First, Second, ModelParams

def build(params: ModelParams):
    match params:
        case First():
            from shop.systems.first import FirstModel
            return FirstModel()
        case Second():
            from shop.systems.second import SecondModel
            return SecondModel()
        case _:
            assert_never(params)
"""
BY_NAME = """
from shop.params.models import ModelParams

def build(params: ModelParams):
    match params.name:
        case "first":
            from shop.systems.first import FirstModel as Model
        case "second":
            from shop.systems.second import SecondModel as Model
    return Model()
"""
OF_A_NAME = BY_NAME.replace("match params.name", "name = params.name\n    match name")
FULL = {"loss": {"name": "full"}, "share": 0.5}
SAMPLED = {"loss": {"name": "sampled", "negatives": 9}, "share": 0.5}
VALUES: dict[str, Any] = {
    "datasets": {"d": {"crawl": {"polite": True}, "files": "x"}},
    "models": {
        "one": {"name": "first", "architecture": 1, "pretrain": None, "finetune": [FULL]},
        "two": {"name": "second", "architecture": 1, "pretrain": FULL, "finetune": [SAMPLED]},
    },
}
FILES = {
    "stage.py": "from shop.build import build\nfrom shop.params.file import Params\n"
    "def main(params: Params): build(params.models)",
    "build.py": BUILD,
    "params/file.py": FILE,
    "params/models.py": MODELS,
    "systems/first.py": "class FirstModel: ...",
    "systems/second.py": "class SecondModel: ...",
}


@pytest.mark.parametrize("build", [BUILD, BY_NAME, OF_A_NAME])
@pytest.mark.parametrize(("entry", "system"), [("one", "First"), ("two", "Second")])
def test_a_registry_leads_to_the_system_that_the_section_names(
    entry: str, system: str, build: str, tmp_path: Path
) -> None:
    files = {**FILES, "build.py": build}
    found = closure(tmp_path, files, f"models.{entry}.name", values=VALUES)
    systems = {name for name in names(found) if name.startswith(("systems", "params.models"))}
    kind = f"params.models:{system}"
    assert systems == {
        f"systems.{system.lower()}:{system}Model",
        *(kind, f"{kind}.name", "params.models:Base"),
    }
    assert f"build:build[0:{system.lower()}]" in names(found)


NEW_CASE = """        case Third() | Fourth():
            from shop.systems.third import ThirdModel
            return ThirdModel()
        case _:"""


def with_a_third(files: dict[str, str]) -> dict[str, str]:
    third = '\nclass Third(Base):\n    name: Literal["third"]\n\nModelParams'
    return {
        **files,
        "params/models.py": files["params/models.py"]
        .replace("\nModelParams", third.replace("Third", "Fourth").replace("third", "fourth"))
        .replace("\nModelParams", third)
        .replace("First | Second", "First | Second | Third | Fourth"),
        "build.py": files["build.py"]
        .replace("        case _:", NEW_CASE)
        .replace("Second, Model", "Second, Third, Fourth, Model"),
        "systems/third.py": "class ThirdModel: ...",
    }


def test_another_system_changes_nothing_for_the_others(tmp_path: Path) -> None:
    before = closure(tmp_path, FILES, "models.one", values=VALUES).text
    files = with_a_third(FILES)
    assert closure(tmp_path, files, "models.one", values=VALUES).text == before
    # Nor if it shares a case with one of them.
    files["build.py"] = files["build.py"].replace("case First()", "case First() | Fourth()", 1)
    files["build.py"] = files["build.py"].replace("Third() | Fourth()", "Third()")
    assert closure(tmp_path, files, "models.one", values=VALUES).text == before


def test_a_stage_that_reaches_a_registry_and_reads_no_choice_depends_on_all_of_it(
    tmp_path: Path,
) -> None:
    found = names(closure(tmp_path, FILES, "datasets.d", values=VALUES))
    assert {"systems.first:FirstModel", "systems.second:SecondModel"} <= found


def test_a_match_over_other_texts_is_code_like_any_other(tmp_path: Path) -> None:
    files = {**FILES, "build.py": BY_NAME.replace('"second"', '"neither"')}
    found = names(closure(tmp_path, files, "models.one", values=VALUES))
    assert {"systems.first:FirstModel", "systems.second:SecondModel"} <= found


@pytest.mark.parametrize(
    ("section", "classes"),
    [
        ("datasets.d.files", {"file:Dataset", "file:Dataset.files"}),
        (
            "datasets.d.crawl",
            {"file:Dataset", "file:Dataset.crawl", "file:Crawl", "file:Crawl.polite"},
        ),
        ("models.one.pretrain", {"models:First", "models:Base", "models:Base.pretrain"}),
        (
            "models.two.pretrain",
            {"models:Second", "models:Base", "models:Base.pretrain", "models:Training"}
            | {"models:Training.loss", "models:Training.share", "models:Share"}
            | {"models:Full", "models:Full.name"},
        ),
        (
            "models.two.finetune",
            {"models:Second", "models:Base", "models:Base.finetune", "models:Training"}
            | {"models:Training.loss", "models:Training.share", "models:Share"}
            | {"models:Sampled", "models:Sampled.name", "models:Sampled.negatives"},
        ),
    ],
)
def test_the_classes_of_a_section_count_field_by_field(
    section: str, classes: set[str], tmp_path: Path
) -> None:
    files = {**FILES, "stage.py": "from shop.params.file import Params\ndef f(x: Params): ..."}
    found = closure(tmp_path, files, section, values=VALUES)
    path = {"file:Params", f"file:Params.{section.partition('.')[0]}", "section:Section"}
    assert names(found) == {f"params.{name}" for name in classes | path}


@pytest.mark.parametrize(
    ("old", "new", "touches"),
    [
        ("negatives: int = 3", "negatives: int = 4", ["models.two.finetune"]),
        (
            "share: Share = 0.5",
            "share: Share = 0.6",
            ["models.two.pretrain", "models.two.finetune"],
        ),
        ("Field(ge=0)", "Field(ge=0, le=1)", ["models.two.pretrain", "models.two.finetune"]),
        ("pretrain: Training", "pretrain: Base", ["models.two.pretrain"]),
    ],
)
def test_another_default_touches_who_reads_the_section(
    old: str, new: str, touches: list[str], tmp_path: Path
) -> None:
    sections = ["datasets.d", "models.two.architecture", "models.two.pretrain"]
    sections += ["models.two.finetune"]
    files = {**FILES, "params/models.py": MODELS.replace(old, new)}
    assert files != FILES

    def digests(code: dict[str, str]) -> dict[str, str]:
        found = write(tmp_path, {**code, "stage.py": ""})
        return {
            section: found.closure("shop.stage", [section.split(".")], VALUES).digest
            for section in sections
        }

    before, after = digests(FILES), digests(files)
    assert [section for section in sections if before[section] != after[section]] == touches


def test_a_choice_that_no_class_stands_for_is_named(tmp_path: Path) -> None:
    values = {"models": {"m": {"name": "third"}}}
    with pytest.raises(CodeError, match=r"models\.m: no .*'third'; there is: first, second"):
        closure(tmp_path, FILES, "models.m", values=values)
    with pytest.raises(CodeError, match=r"nonsense: Params has no field nonsense"):
        closure(tmp_path, FILES, "nonsense", values=values)
