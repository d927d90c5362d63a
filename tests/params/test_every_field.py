"""Every field of the schema, set to another value than its default in the text of a YAML file."""

from __future__ import annotations

import copy
import io
import typing
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

from mmrec.params.features import ImagePreparationParams
from mmrec.params.file import ParamsError, load_params
from mmrec.params.pipeline import Params
from mmrec.params.search import SearchParams
from mmrec.params.section import Section
from mmrec.params.study import StudyParams
from mmrec.params.study_file import ChangedStudy
from mmrec.params.yaml_file import read_yaml
from tests.params.test_file import sections

ROOT = Path(__file__).parents[2]
KINDS = sorted(sections(Params), key=lambda kind: kind.__name__)
NUMBERS = [0, 1, 7, 128]
EXAMPLES: dict[Any, list[Any]] = {
    bool: [True, False],
    int: NUMBERS,
    float: [0.125, 0.25, *NUMBERS],
    str: [
        "word",
        ";",
        "photo of {}",
        "http_404",
        "data/dictionaries/words.txt",
        "me@example.org",
        "ndcg@7",
        "books.json",
        "books.csv",
    ],
    NoneType: [None],
}
TOGETHER: dict[tuple[str, str], dict[str, Any]] = {
    ("TabularInteractions", "timestamp"): {"timestamp_unit": "s"},
    ("TabularInteractions", "timestamp_unit"): {"timestamp": "time"},
    ("LinearRate", "from_epoch"): {"to_epoch": 128},
    ("MmsrArchitecture", "embedding_dim"): {"modality": "text"},
    ("PmmrecArchitecture", "embedding_dim"): {
        "fusion": {"num_heads": 1},
        "encoder": {"num_heads": 1},
    },
    ("GoodreadsSourceParams", "book_ids"): {"interactions": "log.csv"},
    ("CleanParams", "tie_seed"): {"tie_order": "random"},
}
"""Fields that may only be set with others."""
READ: dict[str, Any] = {}
"""Values as a YAML file gives them back, by how they were written."""


def candidates(annotation: Any, deep: bool = True) -> Iterator[Any]:
    """Values of a kind as YAML holds them, the plainest first; some may break a rule.

    Args:
        annotation: the kind.
        deep: sections with each of their fields changed; those inside them are tried by themselves.
    """
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield smallest(annotation)
        for name in annotation.model_fields if deep else ():
            values = of_field(annotation, name, deep=False)
            yield from (smallest(annotation) | {name: value} for value in values)
    elif annotation in EXAMPLES:
        yield from EXAMPLES[annotation]
    elif origin is typing.Literal:
        yield from inner
    elif origin is typing.Annotated:
        yield from candidates(inner[0], deep)
    elif origin is list or (origin is tuple and inner[-1] is Ellipsis):
        yield from ([value] for value in candidates(inner[0], deep))
    elif origin is tuple:
        columns = [[*candidates(one, deep)] for one in inner]
        yield from (list(row) for row in zip(*columns, strict=True))
    elif origin is dict:
        yield from ({"entry": value} for value in candidates(inner[1], deep))
    elif inner:
        # None first, then the others of a union.
        for one in sorted(inner, key=lambda kind: kind is not NoneType):
            yield from candidates(one, deep)
    else:
        yield "10.1.0.0/16"  # the networks that a crawl may reach


def of_field(kind: type[BaseModel], name: str, deep: bool = True) -> Iterator[Any]:
    return candidates(kind.model_fields[name].annotation, deep)


def smallest(kind: type[BaseModel]) -> dict[str, Any]:
    """What has to be set, and nothing else: values that go together, as a file holds them."""
    data: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        if field.is_required():
            values = of_field(kind, name)
            data[name] = next(v for v in values if not wrong(kind, data | {name: v}, name))
    return data


def wrong(kind: type[BaseModel], data: dict[str, Any], name: str | None = None) -> bool:
    """Whether the section (or this field of it) refuses the data."""
    try:
        kind.model_validate(data)
    except ValidationError as error:
        return name is None or any(found["loc"][:1] == (name,) for found in error.errors())
    return False


def through_yaml(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The settings as they come out of a file; what many sections take is written once."""
    for value in data.values():
        if repr(value) not in READ:
            path = folder / "setting.yaml"
            text = io.StringIO()
            YAML(typ="safe").dump({"setting": value}, text)
            path.write_text(text.getvalue())
            READ[repr(value)] = read_yaml(path)["setting"]
    return {name: copy.deepcopy(READ[repr(value)]) for name, value in data.items()}


def settings_that_were_taken(kind: type[BaseModel], name: str, folder: Path) -> list[Any]:
    """The values of a field that the section takes from a file, and then has."""
    base = smallest(kind)
    taken = []
    for value in of_field(kind, name):
        data = base | TOGETHER.get((kind.__name__, name), {}) | {name: value}
        try:
            section = kind.model_validate(through_yaml(data, folder))
        except ValidationError:
            continue
        assert holds(section.model_dump(mode="json")[name], value)
        taken.append(getattr(section, name))
    return taken


def holds(found: Any, value: Any) -> bool:
    """Whether what was read is what was set; a section has the defaults of other fields, too."""
    if isinstance(value, dict):
        return all(holds(found[key], inner) for key, inner in value.items())
    if isinstance(value, list):
        return len(found) == len(value) and all(map(holds, found, value))
    return bool(found == value)


def choices(annotation: Any) -> list[Any]:
    """All words of a literal; one of these words alone is the name of a kind."""
    found = [annotation] if typing.get_origin(annotation) is typing.Literal else []
    for inner in typing.get_args(annotation):
        found += [one for one in [inner] if typing.get_origin(one) is typing.Literal]
    return [word for literal in found for word in typing.get_args(literal)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_takes_another_value_than_its_default(
    kind: type[BaseModel], tmp_path: Path
) -> None:
    assert not wrong(kind, smallest(kind))
    for name, field in kind.model_fields.items():
        taken = settings_that_were_taken(kind, name, tmp_path)
        words = choices(field.annotation)
        assert set(words) <= {one for one in taken if isinstance(one, str | int)}, name
        if field.annotation is NoneType or len(words) == 1:
            assert taken, name
        else:
            default = field.get_default(call_default_factory=True)
            assert any(one != default for one in taken), name


def subclasses(kind: type[Section]) -> set[type[Section]]:
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


def test_no_section_is_left_out() -> None:
    with_subclasses = {kind for kind in subclasses(Section) if kind.__subclasses__()}
    # Files of their own, with tests of their own; what they share with params.yaml is tested here.
    others = (StudyParams, ChangedStudy, SearchParams)
    of_others = {kind for other in others for kind in sections(other)} - set(KINDS)
    found = {kind for kind in subclasses(Section) if kind.__module__.startswith("mmrec.")}
    assert found - with_subclasses - of_others == set(KINDS) - with_subclasses
    assert len(KINDS) > 45
    assert sum(len(kind.model_fields) for kind in KINDS) > 230


def test_strictness_inside_a_tuple_stays() -> None:
    square = {"side": 8, "fit": "crop", "interpolation": "bicubic", "std": [1, 1, 1]}
    assert ImagePreparationParams.model_validate({**square, "mean": [0, 0.5, 1]}).mean == (
        0,
        0.5,
        1,
    )
    for mean in (["0.5", 0.5, 0.5], [True, 0.5, 0.5], [0.5, 0.5], "0.5"):
        assert wrong(ImagePreparationParams, {**square, "mean": mean}, "mean"), mean


def test_a_preparation_stands_in_a_params_file(tmp_path: Path) -> None:
    data = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    square = (
        "{side: 32, fit: squash, interpolation: bilinear, mean: [0.5, 0.5, 0.5], std: [1, 1, 1]}"
    )
    extractor = {"name": "timm_image", "model": "resnet18", "revision": None, "checkpoint": None}
    wanted = copy.deepcopy(data)
    entry = wanted["embed"]["image"]["demo-clip_image"]
    entry["extractor"] = {
        **extractor,
        "normalize": True,
        "preparation": YAML(typ="safe").load(square),
    }
    path = tmp_path / "params.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(wanted, file)
    read = load_params(path).embed.image["demo-clip_image"].extractor
    assert read.model_dump()["preparation"]["mean"] == (0.5, 0.5, 0.5)
    entry["extractor"]["preparation"]["mean"] = [0.5, 0.5]
    with path.open("w") as file:
        YAML(typ="safe").dump(wanted, file)
    with pytest.raises(ParamsError, match=r"preparation\.mean"):
        load_params(path)
