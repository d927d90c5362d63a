"""The JSON schema of files that people write, as editors and the reference read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import to_jsonable_python
from pydantic_core.core_schema import DictSchema, ModelSchema

from mmrec.params.pipeline import Params
from mmrec.params.search import SearchParams
from mmrec.params.study import StudyParams
from mmrec.params.study_file import ChangedStudy
from mmrec.reference.descriptions import description

FileKind = Literal["params", "study", "search"]
"""Files that people write: `params.yaml`, and those of `studies/` and of `searches/`."""

_CONTENTS: Final[Mapping[FileKind, TypeAdapter[Any]]] = {
    "params": TypeAdapter(Params),
    "study": TypeAdapter(StudyParams | ChangedStudy),
    "search": TypeAdapter(SearchParams),
}


def json_schema(file: FileKind) -> dict[str, Any]:
    """The schema of a kind of file, a draft 2020-12 JSON schema.

    Every setting has a description, where its type does not bring one, and every optional one its
    default, as short as a file may have it. What only code can check, such as names that point to
    nothing, it does not know: `mmrec check` does.
    """
    found = _CONTENTS[file].json_schema(schema_generator=_Described)
    return {"$schema": _Described.schema_dialect, "title": f"mmrec: {file}", **found}


def schema_text(file: FileKind) -> str:
    """The same as the text of a file."""
    return json.dumps(json_schema(file), indent=1, ensure_ascii=False) + "\n"


class _Described(GenerateJsonSchema):
    """With the texts of the source, without titles, which would only repeat the keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def dict_schema(self, schema: DictSchema) -> JsonSchemaValue:
        """Names that do not match are refused, as code refuses them."""
        written = super().dict_schema(schema)
        if "patternProperties" in written:
            written["additionalProperties"] = False
        return written

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        written = super().model_schema(schema)
        written.pop("title", None)
        kind: type[BaseModel] = schema["cls"]
        for name, setting in written.get("properties", {}).items():
            if text := _told_kind(kind) if "const" in setting else description(kind, name):
                setting["description"] = text
            field = kind.model_fields[name]
            if not field.is_required():
                setting["default"] = _short(field.get_default(call_default_factory=True))
        return written


def _told_kind(kind: type[BaseModel]) -> str:
    """What an editor says of a `name` that it proposes: the first lines of that section's text."""
    return (kind.__doc__ or "").partition("\n\n")[0].replace("\n    ", " ")


def _short(value: Any) -> Any:
    """A default as a file may have it: of a section its kind, and what is not default in it."""
    if not isinstance(value, BaseModel):
        return to_jsonable_python(value)
    kind = {"name": value.name} if hasattr(value, "name") else {}
    return kind | value.model_dump(mode="json", exclude_defaults=True)
