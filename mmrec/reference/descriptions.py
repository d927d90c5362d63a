"""What each setting means: the texts below its line in the source, of the class and its bases."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from functools import cache

from pydantic import BaseModel

from mmrec.reference.words import MEANINGS


def description(kind: type[BaseModel], name: str) -> str:
    """What a setting of a section means, in one paragraph; empty where nobody has said it.

    What the base that has it first says comes first (else what the name means everywhere), then
    what a class adds, such as why its default is another.
    """
    said = [
        _settings(base)[name]
        for base in reversed(kind.__mro__)
        if issubclass(base, BaseModel) and name in _settings(base)
    ]
    texts = [said[0] or MEANINGS.get(name, ""), *said[1:]]
    return " ".join(dict.fromkeys(filter(None, texts)))


@cache
def _settings(kind: type[BaseModel]) -> Mapping[str, str]:
    """Settings that the body of a class has, and the text below each; empty for none."""
    if kind is BaseModel:
        return {}
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    return {
        statement.target.id: _text(following)
        for statement, following in zip(tree.body, [*tree.body[1:], None], strict=True)
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }


def _text(statement: ast.stmt | None) -> str:
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return " ".join(text.split())
        case _:
            return ""
