"""What a stage's result can depend on of the code: every definition it can reach.

From the stage's module on, along names, attributes of modules, imports wherever they stand, and
names of modules in texts (`python -m …`), definition by definition: what else stands in a module
does not count, but for the effects of importing it. Not counted either:

- comments, formatting, docstrings, and what only type checkers see;
- cases of a tagged `match` (a registry of models, sources, extractors) for other tags than those
  of the sections that the stage reads. Where it reads none that the `match` is about, all count;
- section classes of the params, but for those of the sections that the stage reads: the fields
  on its paths and what validates them (`mmrec.code.schema`);
- modules that refuse or compare and give no result.

Files beside a module (templates, say) count with a definition that says `__file__`. Nothing is
imported or executed, so what is called by a computed name is not seen; the project does not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from mmrec.code.schema import Schema, SectionPart, SectionRead
from mmrec.code.sources import EVERYTHING, Reference, Sources, Symbol
from mmrec.code.unit import Reader, Unit


class Layout(NamedTuple):
    """Where a project has its code, and what in it is special."""

    root: Path
    packages: tuple[str, ...]
    params: str
    """Package of the section classes."""
    section: Symbol
    """What they derive from."""
    whole_file: Symbol
    """The class of all of `params.yaml`."""
    without_result: tuple[str, ...]
    """Modules that refuse or compare, packages with all that is in them."""


PROJECT = Layout(
    root=Path(__file__).parents[2],
    packages=("mmrec", "stages"),
    params="mmrec.params",
    section=Symbol("mmrec.params.section", "Section"),
    whole_file=Symbol("mmrec.params.pipeline", "Params"),
    without_result=("mmrec.params.references", "mmrec.code"),
)


class Code:
    """The code of a project, read once.

    Args:
        layout: where it is.
    """

    def __init__(self, layout: Layout = PROJECT) -> None:
        self.layout = layout
        self.sources = Sources(layout.root, layout.packages)
        self.schema = Schema(self.sources, layout.params, layout.section, layout.whole_file)
        self._units: dict[tuple[Symbol, str | None], Unit] = {}

    def closure(
        self, module: str, sections: Iterable[Sequence[str]], values: Mapping[str, object]
    ) -> Closure:
        """What running a module can depend on.

        Args:
            module: runs, as with `python -m`.
            sections: paths of the parts of `params.yaml` that it reads.
            values: all of `params.yaml`, with every default filled in.

        Raises:
            CodeError: code that is missing or cannot be followed.
        """
        found = Closure(self)
        for path in sections:
            found.read(self.schema.read(path, values))
        found.follow(module)
        return found

    def unit(self, symbol: Symbol, nodes: Sequence[ast.AST], part: str | None = None) -> Unit:
        """The unit of a definition, or of a part of it."""
        key = symbol, part
        if key not in self._units:
            module = self.sources.module(symbol.module)
            reader = Reader(self.sources, module, self.schema.tags_of, self.schema.is_tag)
            self._units[key] = reader.unit(nodes)
        return self._units[key]


class Closure:
    """The definitions that a stage reaches, as lines that tell them and their digests."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self.tags: set[str] = set()
        """Those of what is chosen in the sections that the stage reads."""
        self.choices: set[str] = set()
        """Those of the outermost choices."""
        self.cases: set[str] = set()
        """Those for which a case was found."""
        self.modules: set[str] = set()
        """Everything that is imported."""
        self._lines: dict[str, str] = {}
        self._parts: list[SectionPart] = []
        self._seen: set[Symbol] = set()
        self._pending: list[Symbol] = []

    @property
    def text(self) -> str:
        """A line with its digest for each definition and file, sorted."""
        return "".join(f"{digest} {name}\n" for name, digest in sorted(self._lines.items()))

    @property
    def digest(self) -> str:
        """Digest of it all."""
        return blake2b(self.text.encode(), digest_size=16).hexdigest()

    def read(self, section: SectionRead) -> None:
        """Take in a section that the stage reads."""
        self._parts += section.parts
        self.tags |= section.tags
        self.choices |= {section.choice} if section.choice else set()

    def follow(self, module: str) -> None:
        """Take in what a module reaches when it is run."""
        for symbol, field, nodes in self._parts:
            self._load(symbol.module)
            name = f"{symbol.module}:{symbol.name}" + (f".{field}" if field else "")
            self._add(name, symbol.module, self._code.unit(symbol, nodes, f"section {field}"))
        self._reach(Symbol(module, EVERYTHING))
        while self._pending:
            self._define(self._pending.pop())

    def _load(self, name: str) -> None:
        """Importing a module imports the packages around it, and what it imports."""
        waiting = [name]
        while waiting:
            name = waiting.pop()
            if name in self.modules or self._code.sources.path(name) is None:
                continue
            self.modules.add(name)
            module = self._code.sources.module(name)
            waiting += [*module.loads, name.rpartition(".")[0]]
            if module.effects and not self._is_without_result(name):
                effects = self._code.unit(Symbol(name, ""), module.effects)
                self._add(f"{name}:", name, effects)

    def _reach(self, symbol: Symbol) -> None:
        if symbol not in self._seen:
            self._seen.add(symbol)
            self._pending.append(symbol)

    def _define(self, symbol: Symbol) -> None:
        name = symbol.module
        self._load(name)
        if self._is_without_result(name) or self._code.schema.is_schema(symbol):
            return
        module = self._code.sources.module(name)
        if symbol.name == EVERYTHING:
            for inner in module.definitions:
                self._reach(Symbol(name, inner))
            if module.main:
                main = self._code.unit(Symbol(name, "__main__"), module.main)
                self._add(f"{name}:__main__", name, main)
            return
        unit = self._code.unit(symbol, module.definitions[symbol.name])
        self._add(f"{name}:{symbol.name}", name, unit)

    def _is_without_result(self, module: str) -> bool:
        cut = self._code.layout.without_result
        return any(f"{module}.".startswith(f"{name}.") for name in cut)

    def _add(self, label: str, module: str, unit: Unit) -> None:
        self._lines[label] = unit.digest
        for reference in unit.references:
            self._refer(reference)
        if unit.reads_files:
            self._add_files(self._code.sources.module(module).path.parent)
        for place, cases in enumerate(unit.choices):
            chosen = [case for case in cases if case.tags & self.tags]
            for tags, inner in chosen or cases:
                shown = sorted(tags & self.tags or tags)
                self.cases.update(shown)
                self._add(f"{label}[{place}:{','.join(shown)}]", module, inner)

    def _refer(self, reference: Reference) -> None:
        self._load(reference.module)
        for symbol in self._code.sources.resolve(reference):
            self._reach(symbol)

    def _add_files(self, folder: Path) -> None:
        for path in sorted(folder.iterdir()):
            if path.is_dir() and not (path / "__init__.py").exists() and path.name != "__pycache__":
                self._add_files(path)
            elif path.is_file() and path.suffix not in {".py", ".pyc"}:
                name = path.relative_to(self._code.layout.root).as_posix()
                self._lines[name] = blake2b(path.read_bytes(), digest_size=16).hexdigest()
