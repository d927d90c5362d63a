"""Python files as names that lead to each other: parsed, never imported.

A top-level function, class or assignment is a definition and has no effect but its name. Every
other top-level statement is an effect of importing the module. What only type checkers see
(`if TYPE_CHECKING:`) is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

EVERYTHING: Final = "*"
"""The name of a `Symbol` that is a module with all that it defines."""


class CodeError(ValueError):
    """What a stage depends on cannot be found out; the message says where and why."""


class Reference(NamedTuple):
    """A module, and the names that lead on from it: `schemas.ITEMS` is of `schemas`, `ITEMS`."""

    module: str
    names: tuple[str, ...] = ()


class Symbol(NamedTuple):
    """A definition of a module of the project, or `EVERYTHING` in it."""

    module: str
    name: str


@dataclass
class Module:
    """One file of the project."""

    name: str
    path: Path
    imports: dict[str, list[Reference]] = field(default_factory=dict)
    """What imports at the top level bind, of the project and of others."""
    loads: list[str] = field(default_factory=list)
    """Modules that importing this one imports."""
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    effects: list[ast.stmt] = field(default_factory=list)
    main: list[ast.stmt] = field(default_factory=list)
    """What happens only if the module is run: under `if __name__ == "__main__"`."""


def parse(text: bytes) -> ast.Module:
    """The syntax tree of a file, which nothing changes."""
    return ast.parse(text)


class Sources:
    """The modules of some packages below one folder.

    Args:
        root: the folder.
        packages: names of the packages in it; modules of all others are libraries.
    """

    def __init__(self, root: Path, packages: Sequence[str]) -> None:
        self.root = root
        self._packages = packages
        self._paths: dict[str, Path | None] = {}
        self._modules: dict[str, Module] = {}
        self._resolved: dict[Reference, tuple[Symbol, ...]] = {}

    def is_ours(self, module: str) -> bool:
        """Whether a dotted name begins with one of the packages."""
        return module.partition(".")[0] in self._packages

    def path(self, module: str) -> Path | None:
        """The file of a module of the packages; None if there is none."""
        if module not in self._paths:
            place = self.root.joinpath(*module.split("."))
            found = (path for path in (place / "__init__.py", place.with_suffix(".py")))
            is_name = self.is_ours(module) and all(map(str.isidentifier, module.split(".")))
            self._paths[module] = next(filter(Path.is_file, found), None) if is_name else None
        return self._paths[module]

    def module(self, name: str) -> Module:
        """Parse a module of the packages.

        Raises:
            CodeError: there is none, it is no Python, or it imports something that is not there.
        """
        if name not in self._modules:
            path = self.path(name)
            if path is None:
                raise CodeError(f"{name}: no such module below {self.root}")
            try:
                tree = parse(path.read_bytes())
            except SyntaxError as error:
                raise CodeError(f"{path}: line {error.lineno}: {error.msg}; mend it") from None
            module = self._modules[name] = Module(name, path)
            self._read(module, tree.body)
        return self._modules[name]

    def below(self, package: str) -> Iterator[Module]:
        """A package and all modules in it."""
        for path in sorted(self.root.joinpath(*package.split(".")).rglob("*.py")):
            parts = path.relative_to(self.root).with_suffix("").parts
            yield self.module(".".join(parts).removesuffix(".__init__"))

    def resolve(self, reference: Reference) -> tuple[Symbol, ...]:
        """What a reference leads to, past imports that pass a name on; nothing in a library."""
        if reference not in self._resolved:
            self._resolved[reference] = ()  # until found otherwise: imports may go in a circle
            self._resolved[reference] = tuple(self._resolve(reference))
        return self._resolved[reference]

    def _resolve(self, reference: Reference) -> Iterator[Symbol]:
        module, names = reference
        while self.path(module) is not None:
            found = self.module(module)
            if not names:
                yield Symbol(module, EVERYTHING)
                return
            if names[0] in found.definitions:
                yield Symbol(module, names[0])
                return
            if names[0] in found.imports:
                for passed_on in found.imports[names[0]]:
                    yield from self.resolve(passed_on._replace(names=passed_on.names + names[1:]))
                return
            submodule = f"{module}.{names[0]}"
            if self.path(submodule) is None:
                yield Symbol(module, EVERYTHING)
                return
            module, names = submodule, names[1:]

    def imported(
        self, module: Module, node: ast.Import | ast.ImportFrom
    ) -> Iterator[tuple[str, Reference, list[str]]]:
        """The names that an import binds, what they are bound to, and the modules it loads.

        Raises:
            CodeError: a module of the packages that is not there, or `import *`.
        """
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._check(module, node, alias.name)
                first = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or first, Reference(first), [alias.name]
            return
        origin = self._origin(module, node)
        self._check(module, node, origin)
        for alias in node.names:
            if alias.name == "*" and self.is_ours(origin):
                raise CodeError(
                    f"{module.path}: line {node.lineno}: import * from {origin} hides what is "
                    "used of it; name it"
                )
            loads = [origin, f"{origin}.{alias.name}"]
            yield alias.asname or alias.name, Reference(origin, (alias.name,)), loads

    def _check(self, module: Module, node: ast.stmt, name: str) -> None:
        if self.is_ours(name) and self.path(name) is None:
            raise CodeError(
                f"{module.path}: line {node.lineno} imports {name}, which is not there; mend it"
            )

    def _origin(self, module: Module, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = module.name.split(".")
        up = node.level - (module.path.name == "__init__.py")
        return ".".join([*package[: len(package) - up], *filter(None, [node.module])])

    def _read(self, module: Module, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            match statement:
                case ast.Import() | ast.ImportFrom():
                    self._bind(module, statement)
                case ast.Expr(value=ast.Constant()) | ast.Pass():
                    pass
                case ast.If(test=test) if is_type_checking(test):
                    self._read(module, statement.orelse)
                case ast.If(test=test) if _is_main(test):
                    module.main += statement.body
                case _:
                    names = list(_defined(statement))
                    for name in names:
                        module.definitions.setdefault(name, []).append(statement)
                    if not names or not isinstance(statement, _DEFINING):
                        module.effects.append(statement)
                        self._bind_inside(module, statement)

    def _bind(self, module: Module, node: ast.Import | ast.ImportFrom) -> None:
        for name, reference, loads in self.imported(module, node):
            module.imports.setdefault(name, []).append(reference)
            module.loads += loads

    def _bind_inside(self, module: Module, statement: ast.stmt) -> None:
        """Of a top-level `try` or `if`: what is imported there is imported here."""
        for node in ast.walk(statement):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._bind(module, node)


_DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


def is_type_checking(test: ast.expr) -> bool:
    """Whether this is `TYPE_CHECKING` or `typing.TYPE_CHECKING`."""
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _is_main(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
    )


def _defined(statement: ast.stmt) -> Iterator[str]:
    """Names that a top-level statement, other than an import, gives a meaning to."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield statement.name
        case ast.Assign(targets=targets):
            for target in targets:
                yield from _stored(target)
        case ast.AnnAssign(target=target):
            yield from _stored(target)
        case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
            for inner in ast.iter_child_nodes(statement):
                bodies = inner.body if isinstance(inner, ast.ExceptHandler) else [inner]
                for child in bodies:
                    if isinstance(child, ast.stmt):
                        yield from _defined(child)


def _stored(target: ast.expr) -> Iterator[str]:
    """Names in the target of an assignment; none in `a.b = …`, which is an effect."""
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Tuple(elts=inner) | ast.List(elts=inner):
            for element in inner:
                yield from _stored(element)
