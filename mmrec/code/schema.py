"""Which classes of params a section of `params.yaml` is checked by, and where they have defaults.

A section class counts for the stages that read its section, field by field, and never because
code names it: what it decides are values, and those come from the section. Of a choice
(`A | B`, told apart by `name: Literal["a"]`), the class that the value names counts.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from mmrec.code.sources import CodeError, Reference, Sources, Symbol


class SectionPart(NamedTuple):
    """A part of a section class: one of its fields, or all the rest of it."""

    symbol: Symbol
    field: str | None
    nodes: Sequence[ast.AST]


class SectionRead(NamedTuple):
    """What a section that a stage reads brings with it."""

    parts: list[SectionPart]
    tags: frozenset[str]
    """Of the classes among them."""
    choice: str | None
    """The tag of the outermost choice: that of a model, and not of its loss."""


class Schema:
    """The section classes of a package.

    Args:
        sources: where its modules are.
        package: holds all section classes.
        base: what they derive from.
        root: the class of the whole file.
    """

    def __init__(self, sources: Sources, package: str, base: Symbol, root: Symbol) -> None:
        self._sources, self._package, self._base, self._root = sources, package, base, root
        self._is_section: dict[Symbol, bool] = {}

    def is_schema(self, symbol: Symbol) -> bool:
        """Whether this is a section class, or an alias of some (`A | B`)."""
        if symbol not in self._is_section:
            self._is_section[symbol] = False  # until found otherwise: classes may name themselves
            node = self._node(symbol)
            if isinstance(node, ast.ClassDef):
                found = symbol == self._base or any(self._bases(symbol))
            else:
                found = any(self._sections(symbol.module, alias) for alias in _alias(node))
            self._is_section[symbol] = found
        return self._is_section[symbol]

    def tags_of(self, reference: Reference) -> frozenset[str]:
        """The tag of a section class, as a set; empty of anything else."""
        found = (self._tag(s) for s in self._sources.resolve(reference) if self.is_schema(s))
        return frozenset(filter(None, found))

    def is_tag(self, text: str) -> bool:
        """Whether any section class has this tag."""
        return text in self._tags

    def read(self, path: Sequence[str], values: object) -> SectionRead:
        """What checks a section, and the tags of what is chosen in it.

        Args:
            path: of the section in the file.
            values: the whole file, with every default filled in.

        Raises:
            CodeError: the schema has no such section, or no class of such a tag.
        """
        walk = _Walk(self, ".".join(path))
        walk.section(self._root, values, path)
        return SectionRead(list(walk.parts.values()), frozenset(walk.tags), walk.outermost)

    def _node(self, symbol: Symbol) -> ast.stmt | None:
        found = self._sources.module(symbol.module).definitions.get(symbol.name)
        return found[-1] if found else None

    def _bases(self, symbol: Symbol) -> Iterator[Symbol]:
        """The section classes that a section class derives from directly."""
        node = self._node(symbol)
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            for found in self._named(symbol.module, base):
                if isinstance(self._node(found), ast.ClassDef) and self.is_schema(found):
                    yield found

    def _named(self, module: str, node: ast.AST) -> Iterator[Symbol]:
        """Definitions that an expression names."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name):
                yield from self._sources.resolve(Reference(module, (inner.id,)))

    def _sections(self, module: str, annotation: ast.AST) -> list[Symbol]:
        """Section classes in an annotation, those that an alias in it stands for included."""
        found: list[Symbol] = []
        for symbol in self._named(module, annotation):
            node = self._node(symbol)
            if isinstance(node, ast.ClassDef):
                found += [symbol] if self.is_schema(symbol) else []
            else:
                for alias in _alias(node):
                    found += self._sections(symbol.module, alias)
        return found

    def _fields(self, symbol: Symbol) -> dict[str, ast.AnnAssign]:
        node = self._node(symbol)
        assert isinstance(node, ast.ClassDef)
        return {
            statement.target.id: statement
            for statement in node.body
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        }

    def _tag(self, symbol: Symbol) -> str | None:
        if not isinstance(self._node(symbol), ast.ClassDef):
            return None
        match self._fields(symbol).get("name"):
            case ast.AnnAssign(
                annotation=ast.Subscript(
                    value=ast.Name(id="Literal"), slice=ast.Constant(value=str(tag))
                )
            ):
                return tag
        return next(filter(None, map(self._tag, self._bases(symbol))), None)

    @cached_property
    def _tags(self) -> frozenset[str]:
        symbols = (
            Symbol(module.name, name)
            for module in self._sources.below(self._package)
            for name in module.definitions
        )
        tags = (self._tag(symbol) for symbol in symbols if self.is_schema(symbol))
        return frozenset(filter(None, tags))


class _Walk:
    """From a section class down a path, and to all classes below."""

    def __init__(self, schema: Schema, told: str) -> None:
        self._schema, self._told = schema, told
        self.parts: dict[tuple[Symbol, str | None], SectionPart] = {}
        self.tags: set[str] = set()
        self.outermost: str | None = None

    def section(self, symbol: Symbol, value: object, path: Sequence[str]) -> None:
        """One class: the field that the path goes on with, or all, of it and of its bases."""
        wanted = path[:1] or (list(value) if isinstance(value, Mapping) else [])
        missing = set(wanted) - self._class(symbol, value, set(wanted), path[1:])
        if path and missing:
            raise CodeError(f"{self._told}: {symbol.name} has no field {path[0]}")

    def _class(
        self, symbol: Symbol, value: object, wanted: set[str], rest: Sequence[str]
    ) -> set[str]:
        fields = self._schema._fields(symbol)
        node = self._schema._node(symbol)
        assert isinstance(node, ast.ClassDef)
        others = [inner for inner in node.body if inner not in fields.values()]
        self._add(symbol, None, [*node.bases, *node.decorator_list, *others])
        found = wanted & fields.keys()
        for name in sorted(found):
            self._add(symbol, name, [fields[name]])
            inner = value.get(name) if isinstance(value, Mapping) else None
            self._annotation(symbol.module, fields[name].annotation, inner, rest)
        for base in self._schema._bases(symbol):
            found |= self._class(base, value, wanted - found, rest)
        return found

    def _add(self, symbol: Symbol, field: str | None, nodes: Sequence[ast.AST]) -> None:
        self.parts[symbol, field] = SectionPart(symbol, field, nodes)

    def _annotation(
        self, module: str, annotation: ast.expr, value: object, path: Sequence[str]
    ) -> None:
        if isinstance(value, Mapping) and _is_dict(annotation):
            inner = annotation.slice.elts[1]  # type: ignore[attr-defined]
            for entry in [value.get(path[0])] if path else value.values():
                self._annotation(module, inner, entry, path[1:])
        elif isinstance(value, list | tuple):
            for entry in value:
                self._annotation(module, annotation, entry, ())
        elif isinstance(value, Mapping):
            self._one_of(self._schema._sections(module, annotation), value, path)

    def _one_of(
        self, sections: Sequence[Symbol], value: Mapping[str, object], path: Sequence[str]
    ) -> None:
        tags = {section: self._schema._tag(section) for section in sections}
        named = value.get("name")
        for section, tag in tags.items():
            if tag is None or tag == named:
                self._choose(tag, len(tags))
                self.section(section, value, path)
        if tags and None not in tags.values() and named not in tags.values():
            known = ", ".join(sorted(filter(None, tags.values())))
            raise CodeError(f"{self._told}: no class of params for '{named}'; there is: {known}")

    def _choose(self, tag: str | None, among: int) -> None:
        if tag is not None:
            self.tags.add(tag)
        if among > 1 and self.outermost is None:
            self.outermost = tag


def _alias(node: ast.stmt | None) -> list[ast.expr]:
    """The type that an assignment gives a name to."""
    match node:
        case ast.Assign(value=ast.Subscript() | ast.BinOp() as value):
            return [value]
        case _:
            return []


def _is_dict(annotation: ast.expr) -> bool:
    return (
        isinstance(annotation, ast.Subscript)
        and isinstance(annotation.value, ast.Name)
        and annotation.value.id == "dict"
    )
