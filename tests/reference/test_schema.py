"""The schemas for editors: what they say, and that they refuse what the code refuses."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from mmrec.cli.main import main
from mmrec.params.models.bert4rec import Bert4RecArchitecture
from mmrec.params.yaml_file import read_yaml
from mmrec.reference.descriptions import description
from mmrec.reference.places import known_sections
from mmrec.reference.schema import FileKind, json_schema, schema_text
from mmrec.reference.words import MEANINGS

ROOT = Path(__file__).parents[2]
FILES: tuple[FileKind, ...] = get_args(FileKind)
PARAMS_FILES = [ROOT / "params.yaml", *sorted((ROOT / "examples").glob("*.yaml"))]
OTHERS: dict[FileKind, list[Path]] = {
    "study": sorted((ROOT / "studies").glob("*.yaml")),
    "search": sorted((ROOT / "searches").glob("*.yaml")),
}


@pytest.fixture(scope="module")
def params_schema() -> Draft202012Validator:
    return Draft202012Validator(json_schema("params"))


@pytest.mark.parametrize("file", FILES)
def test_the_kept_copy_is_the_schema_of_now(file: FileKind) -> None:
    option = "" if file == "params" else f"--{file} "
    assert (ROOT / f"{file}.schema.json").read_text() == schema_text(file), (
        f"run: mmrec schema {option}--write {file}.schema.json"
    )


@pytest.mark.parametrize("path", PARAMS_FILES, ids=lambda path: path.name)
def test_a_params_file_of_the_project_is_as_the_schema_says(
    path: Path, params_schema: Draft202012Validator
) -> None:
    assert not [error.message for error in params_schema.iter_errors(read_yaml(path))]


@pytest.mark.parametrize("file", OTHERS)
def test_studies_and_searches_are_as_their_schemas_say(file: FileKind) -> None:
    schema = Draft202012Validator(json_schema(file))
    wrong = {path.name: [*schema.iter_errors(read_yaml(path))] for path in OTHERS[file]}
    assert len(wrong) > {"study": 20, "search": 1}[file]
    assert not any(wrong.values())
    assert not schema.is_valid({**read_yaml(OTHERS[file][0]), "a_wrong_name": 1})


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("datasets.demo.clean.user_cor", 5),
        ("datasets.demo.clean.user_core", "5"),
        ("datasets.demo.clean.user_core", -1),
        ("datasets.demo.source.num_items", None),
        ("datasets.demo.source.name", "shop"),
        ("datasets.not a name", "demo"),
        ("models.sasrec.finetune.learning_rat", 1e-3),
        ("models.sasrec.finetune.learning_rate", "1e-3"),
        ("models.sasrec.finetune.loss", {"name": "sampled", "candidates": "all"}),
        ("evaluate.mask_history", "yes"),
        ("recommend.top_k", 1.5),
    ],
)
def test_a_wrong_name_type_or_value_is_refused(
    place: str, value: object, params_schema: Draft202012Validator
) -> None:
    changed: Any = copy.deepcopy(read_yaml(ROOT / "params.yaml"))
    *around, last = place.split(".")
    section = changed
    for step in around:
        section = section[step]
    section[last] = value
    assert not params_schema.is_valid(changed)


@pytest.mark.parametrize("file", FILES)
def test_every_setting_is_described(file: FileKind) -> None:
    sections = known_sections(json_schema(file))
    settings = {
        (section, name): setting
        for section, found in sections.items()
        for name, setting in found["properties"].items()
    }
    assert len(settings) >= 10
    # A section that says itself what it is needs no other words where it is taken.
    silent = [
        where
        for where, setting in settings.items()
        if not setting.get("description") and "$ref" not in setting and "const" not in setting
    ]
    assert not silent
    assert all(section["description"] for section in sections.values())


def test_what_a_class_adds_stands_behind_what_its_base_says() -> None:
    told = description(Bert4RecArchitecture, "dropout")
    assert told == ("Share of the values that a step of training leaves out. .2 or .5, by dataset.")


def test_defaults_are_as_short_as_a_file_may_have_them() -> None:
    training = json_schema("params")["$defs"]["MmsrTraining"]["properties"]
    assert training["loss"]["default"] == {"name": "bce"}
    assert training["schedule"]["default"]["to_epoch"] == 150
    assert training["batch_size"]["default"] == 1280


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["schema"])
    assert capsys.readouterr().out == schema_text("params")
    main(["schema", "--study", "--write", str(tmp_path / "study.json")])
    assert (tmp_path / "study.json").read_text() == schema_text("study")
    assert "study.json: written" in capsys.readouterr().out


def test_a_schema_is_made_without_torch() -> None:
    code = (
        "import sys; from mmrec.cli.main import main; main(['schema']);"
        "assert not {'torch', 'polars', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_every_word_of_settings_is_that_of_one_that_says_no_more_itself() -> None:
    told = "\n".join(
        setting.get("description", "")
        for file in FILES
        for section in known_sections(json_schema(file)).values()
        for setting in section["properties"].values()
    )
    assert not [name for name, meaning in MEANINGS.items() if meaning not in told]
