"""The best settings of a search as a model and a run of `params.yaml`, all else in it as it was."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml.comments import CommentedMap

from mmrec.io import write_text
from mmrec.params.file import ParamsError, load_params
from mmrec.params.search import SearchError
from mmrec.params.section import is_name
from mmrec.params.yaml_file import read_yaml, yaml_to_write
from mmrec.tune.results import Results
from mmrec.tune.target import Target


@dataclass(frozen=True)
class Tuned:
    """A model and a run of the same name.

    Attributes:
        name: of both.
        model: entry of `models`.
        run: entry of `runs`.
    """

    name: str
    model: Mapping[str, Any]
    run: Mapping[str, Any]

    @property
    def text(self) -> str:
        """Both as a params file has them."""
        sections = {"models": self.model_text(2), "runs": self.run_text(2)}
        return "".join(f"{section}:\n{text}" for section, text in sections.items())

    def model_text(self, indent: int) -> str:
        """Entry of `models`, so far to the right."""
        # A line for each value: DVC can then write any of them anew.
        return _indented({self.name: dict(self.model)}, indent)

    def run_text(self, indent: int) -> str:
        """Entry of `runs`, in a line."""
        run = CommentedMap(self.run)
        run.fa.set_flow_style()
        return _indented({self.name: run}, indent)


def tuned_entries(target: Target, results: Results, name: str | None) -> Tuned | None:
    """The best settings, where they are better than those that the run has; else None.

    Args:
        target: of the search.
        results: of the search.
        name: of the model and the run; that of the searched run and `-tuned` by default.
    """
    best = results.best
    if best is None or best["trial"] == 0:
        return None
    chosen = tuned_name(target, name)
    run = target.run.model_dump(mode="json") | {"model": chosen}
    return Tuned(chosen, target.entry_with(best["settings"]), run)


def tuned_name(target: Target, name: str | None) -> str:
    """Of the model and the run: what was chosen, or that of the searched run and `-tuned`."""
    return name or f"{target.search.run}-tuned"


def require_free(name: str, path: Path) -> None:
    """Refuse a name that a params file cannot have, or has.

    Raises:
        SearchError: it is taken or none.
        ParamsError: the file is wrong.
    """
    if not is_name(name):
        raise SearchError(
            f"--write: found '{name}', expected a name of letters, digits, '-' and '_'"
        )
    params = load_params(path)
    for section in ("models", "runs", "ensembles"):
        if name in getattr(params, section):
            raise SearchError(f"{path}: '{name}' is in `{section}`; give another: --write NAME")


def write_tuned(tuned: Tuned, target: Target) -> None:
    """Add both behind those that they were made from; every other line stays as it is.

    Raises:
        SearchError: the name is taken or none, the entries that they were made from are gone, or
            the file is written in another way than by lines.
    """
    path = target.paths.params
    require_free(tuned.name, path)
    before: Any = read_yaml(path)
    # A search takes hours, in which the file may have changed.
    for section, entry in (("models", target.run.model), ("runs", target.search.run)):
        if entry not in before[section]:
            raise SearchError(
                f"{path}: `{section}` no longer has '{entry}', behind which the best settings are "
                f"to stand; add them by hand:\n\n{tuned.text}"
            )
    wanted = before | {
        "models": {**before["models"], tuned.name: tuned.model},
        "runs": {**before["runs"], tuned.name: tuned.run},
    }
    text = path.read_bytes().decode("utf-8")
    # The later place first: the other is where it was.
    added = [
        ("models", target.run.model, tuned.model_text),
        ("runs", target.search.run, tuned.run_text),
    ]
    sections = yaml_to_write().load(text.removeprefix("\ufeff"))
    places = [(_line_behind(sections, text, *one[:2]), one) for one in added]
    for line, (section, entry, text_of) in sorted(places, key=lambda place: -place[0]):
        column = sections[section].lc.key(entry)[1]
        text = _inserted(text, line, text_of(column))
    _require(text, wanted, tuned, path)
    write_text(text, path)


def _line_behind(sections: CommentedMap, text: str, section: str, entry: str) -> int:
    """Number of lines up to the end of an entry, without what belongs to the next one."""
    starts = [
        mapping.lc.key(key)[0] for mapping in (sections, sections[section]) for key in mapping
    ]
    lines = text.splitlines()
    end = min(
        (line for line in starts if line > sections[section].lc.key(entry)[0]), default=len(lines)
    )
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _inserted(text: str, line: int, added: str) -> str:
    lines = text.splitlines(keepends=True)
    newline = "\r\n" if "\r\n" in text else "\n"
    if lines[line - 1].splitlines()[0] == lines[line - 1]:
        lines[line - 1] += newline
    return "".join([*lines[:line], added.replace("\n", newline), *lines[line:]])


def _require(text: str, wanted: Mapping[str, Any], tuned: Tuned, path: Path) -> None:
    """Refuse a text that is not what was wanted: the file has a form that was not thought of."""
    with TemporaryDirectory() as place:
        written = Path(place) / path.name
        written.write_text(text, encoding="utf-8", newline="")
        try:
            load_params(written)
            if read_yaml(written) == wanted:
                return
        except ParamsError:
            pass  # said below, with what to do about it
    raise SearchError(
        f"{path}: its `models` and `runs` are not written line by line, so that nothing can be "
        f"added to them; add this by hand:\n\n{tuned.text}"
    )


def _indented(entry: Mapping[str, Any], indent: int) -> str:
    stream = io.StringIO()
    yaml_to_write().dump(entry, stream)
    return "".join(f"{' ' * indent}{line}\n" for line in stream.getvalue().splitlines())
