"""One definition: a digest of what it says, and what it refers to.

The digest is of the syntax tree, without comments, formatting and docstrings, and of what the
names in it are bound to. A `match` over a tagged choice of params (`case SasrecParams():`, or
`case "sasrec":` under `match params.name:` or `match name:`) is taken apart: each such case is a
unit of its own. Texts are taken for tags only where all cases with texts are tags.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

from mmrec.code.sources import Module, Reference, Sources, is_type_checking

TagsOf: TypeAlias = Callable[[Reference], frozenset[str]]
"""The tag of a class of params, as a set; empty of anything else."""
IsTag: TypeAlias = Callable[[str], bool]


class Case(NamedTuple):
    """A case of a tagged choice."""

    tags: frozenset[str]
    unit: Unit


@dataclass
class Unit:
    """A definition, or a part of one."""

    digest: str
    references: list[Reference]
    """To modules of the project."""
    choices: list[list[Case]]
    """The cases of every tagged `match` in it; neither digest nor references have anything of
    them."""
    reads_files: bool
    """Whether it says `__file__`, so that it can read files that lie beside its module."""


class Reader:
    """Makes units of the definitions of one module.

    Args:
        sources: where modules are looked up.
        module: of the definitions.
        tags_of: which tag a class stands for.
        is_tag: whether a text is a tag.
    """

    def __init__(self, sources: Sources, module: Module, tags_of: TagsOf, is_tag: IsTag) -> None:
        self.sources, self.module, self.tags_of, self.is_tag = sources, module, tags_of, is_tag

    def unit(self, nodes: Sequence[ast.AST]) -> Unit:
        """The unit of a definition's statements."""
        writing = _Writing(self)
        writing.body(nodes)
        return writing.unit()


@dataclass
class _Writing:
    """What has been found so far in the nodes of one unit."""

    reader: Reader
    text: list[str] = field(default_factory=list)
    used: set[tuple[str, ...]] = field(default_factory=set)
    """Names with the attributes that are taken of them."""
    references: list[Reference] = field(default_factory=list)
    choices: list[list[tuple[frozenset[str], _Writing]]] = field(default_factory=list)

    def unit(self) -> Unit:
        """What was found, as a unit."""
        for chain in sorted(self.used):
            self._bind(chain)
        return Unit(
            blake2b("".join(self.text).encode(), digest_size=16).hexdigest(),
            sorted(filter(self._is_of_the_project, {*self.references})),
            [[Case(tags, case.unit()) for tags, case in cases] for cases in self.choices],
            ("__file__",) in self.used,
        )

    def _is_of_the_project(self, reference: Reference) -> bool:
        return self.reader.sources.path(reference.module) is not None

    def _bind(self, chain: tuple[str, ...]) -> None:
        """Look a name up at the top level, also where something inside has the same name."""
        module, (name, *rest) = self.reader.module, chain
        if name in module.definitions:
            self.references.append(Reference(module.name, (name,)))
        for bound in module.imports.get(name, []):
            self.text.append(f"{name}={'.'.join((bound.module, *bound.names))};")
            self.references.append(bound._replace(names=(*bound.names, *rest)))

    def body(self, nodes: Sequence[object]) -> None:
        """Write statements, arguments and the like, one after the other."""
        self.text.append("[")
        for node in nodes:
            self.write(node)
        self.text.append("]")

    def write(self, value: object) -> None:
        """Write a node with all that is in it, or a value."""
        if isinstance(value, list):
            self.body(value)
        elif not isinstance(value, ast.AST):
            self.text.append(repr(value))
        elif isinstance(value, ast.stmt):
            self._statement(value)
        else:
            self._node(value)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=ast.Constant()):
                pass  # a docstring
            case ast.If(test=test) if is_type_checking(test):
                self.body(node.orelse)
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.Match():
                self._match(node)
            case _:
                self._node(node)

    def _node(self, node: ast.AST) -> None:
        if isinstance(node, ast.Name):
            self.used.add((node.id,))
        elif isinstance(node, ast.Attribute):
            chain = _chain(node)
            if chain:
                self.used.add(chain)
                self.text.append(".".join(chain))
                return
        elif isinstance(node, ast.Constant):
            self._name_of_module(node.value)
        self.text.append(type(node).__name__)
        for name in node._fields:
            value = getattr(node, name, None)
            # Nor what is empty: later versions of Python have further fields.
            if value is not None and value != [] and name not in _WITHOUT_MEANING:
                self.text.append(name)
                self.write(value)
        self.text.append(";")

    def _name_of_module(self, value: object) -> None:
        """Follow a text as in `python -m mmrec.data.crawler.decode_worker`."""
        if isinstance(value, str) and "." in value and self.reader.sources.path(value) is not None:
            self.references.append(Reference(value))

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        found = self.reader.sources.imported(self.reader.module, node)
        for name, reference, loads in found:
            whole = isinstance(node, ast.Import)
            self.references.append(Reference(loads[0]) if whole else reference)
            self.text.append(f"{name}={'.'.join((reference.module, *reference.names))};")

    def _match(self, node: ast.Match) -> None:
        cases = [(self._tags(node.subject, case.pattern), case) for case in node.cases]
        by_name = [case for tags, case in cases if not tags and _texts(case.pattern)]
        if by_name and _is_name(node.subject):
            cases = [(frozenset(), case) for _, case in cases]  # not all of them are tags
        self.text.append("Match")
        self.write(node.subject)
        tagged = []
        for tags, case in cases:
            if tags:
                inner = _Writing(self.reader)
                inner.body([*_patterns_inside(case.pattern), case.guard, *case.body])
                tagged.append((tags, inner))
            else:
                self._node(case)
        if tagged:
            self.choices.append(tagged)

    def _tags(self, subject: ast.expr, pattern: ast.pattern) -> frozenset[str]:
        """The tags that a pattern is made of; none if it is made of something else, too."""
        found = []
        for part in pattern.patterns if isinstance(pattern, ast.MatchOr) else [pattern]:
            texts = _texts(part)
            if texts and _is_name(subject):
                tags = frozenset(filter(self.reader.is_tag, texts))
            elif isinstance(part, ast.MatchClass):
                tags = self._tags_of_class(part.cls)
            else:
                tags = frozenset()
            if not tags:
                return tags
            found.append(tags)
        return frozenset().union(*found)

    def _tags_of_class(self, node: ast.expr) -> frozenset[str]:
        chain = (node.id,) if isinstance(node, ast.Name) else _chain(node)
        module = self.reader.module
        if not chain:
            return frozenset()
        if chain[0] in module.definitions:
            return self.reader.tags_of(Reference(module.name, chain))
        found = [
            self.reader.tags_of(bound._replace(names=bound.names + chain[1:]))
            for bound in module.imports.get(chain[0], [])
        ]
        return frozenset().union(*found)


_WITHOUT_MEANING = frozenset({"ctx", "type_comment", "kind", "type_ignores"})


def _chain(node: ast.expr) -> tuple[str, ...]:
    """`a.b.c` as its names; empty if it begins with something else than a name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


def _is_name(subject: ast.expr) -> bool:
    return (isinstance(subject, ast.Attribute) and subject.attr == "name") or (
        isinstance(subject, ast.Name) and subject.id == "name"
    )


def _texts(pattern: ast.pattern) -> frozenset[str]:
    """The strings that a pattern consists of."""
    match pattern:
        case ast.MatchValue(value=ast.Constant(value=str(text))):
            return frozenset({text})
        case ast.MatchOr(patterns=patterns):
            found = [_texts(part) for part in patterns]
            return frozenset().union(*found) if all(found) else frozenset()
        case _:
            return frozenset()


def _patterns_inside(pattern: ast.pattern) -> list[object]:
    """What a pattern asks for besides its class."""
    match pattern:
        case ast.MatchClass():
            inside = [pattern.patterns, pattern.kwd_attrs, pattern.kwd_patterns]
            return [inner for inner in inside if inner]
        case ast.MatchOr(patterns=patterns):
            return [inner for part in patterns for inner in _patterns_inside(part)]
        case _:
            return []
