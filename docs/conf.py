"""The site of the documentation: `make docs` writes it to build/docs.

Its sources are the pages where they lie in the repository, so that a link leads to the same file
there and here; what is made of the code comes to docs/reference/ first.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import mmrec
from mmrec.cli.commands import COMMANDS, load
from mmrec.command import parser_of
from mmrec.reference.site import write_reference

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS: Final = Path(__file__).parent
GENERATED: Final = {
    "Reference": [
        f"reference/{name}" for name in ("params", "studies", "searches", "commands", "library")
    ],
    "Measured": ["/studies/results/*", "/benchmarks/results/*"],
}
"""Pages of groups beside those that the front page lists."""

project = "mmrec"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = ["README.md", "docs/**", "studies/results/*.md", "benchmarks/results/*.md"]
exclude_patterns = ["build", "data", "mmrec", "stages", "tests", ".*"]

html_theme = "furo"
html_title = "mmrec"
html_static_path = ["static"]
html_css_files = ["tables.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

myst_heading_anchors = 4
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}

autodoc_typehints = "description"
default_role = "code"


def setup(app: Sphinx) -> None:
    """Make what is made of the code, and lead to every page."""
    parsers = [parser_of(load(name), f"mmrec {name}") for name in COMMANDS]
    offered = {name: getattr(mmrec, name) for name in mmrec.__all__}
    write_reference(DOCS / "reference", parsers, offered)
    app.connect("source-read", _entitle)
    app.connect("source-read", _lead_to_all)
    app.connect("build-finished", _begin_at_the_top)


def _entitle(_: Sphinx, page: str, source: list[str]) -> None:
    """Give a table that a benchmark wrote the title that a page needs: its name."""
    if page.startswith("benchmarks/") and not source[0].startswith("# "):
        title = page.rpartition("/")[2].replace("_", " ").capitalize()
        source[0] = f"# {title}\n\n{source[0]}"


def _lead_to_all(app: Sphinx, page: str, source: list[str]) -> None:
    """The front page's lists as the site's sidebar, which GitHub would show as code."""
    if page != app.config.root_doc:
        return
    start, *groups = source[0].split("\n## ")
    source[0] = "\n## ".join([start, *map(_with_toctree, groups)])


def _with_toctree(group: str) -> str:
    title = group.partition("\n")[0]
    listed = re.findall(r"^- \[([^]]*)\]\(([^)]+)\)", group, re.MULTILINE)
    entries = [*(f"{text} <{target}>" for text, target in listed), *GENERATED.get(title, [])]
    hidden = ":hidden:" if listed else ""
    lines = ["```{toctree}", f":caption: {title}", ":glob:", ":maxdepth: 1", hidden, "", *entries]
    return "\n".join([group, *lines, "```", ""])


def _begin_at_the_top(app: Sphinx, error: Exception | None) -> None:
    """`index.html` of the folder leads to the front page."""
    if error is None:
        front = f"{app.config.root_doc}.html"
        text = f'<!doctype html><meta http-equiv="refresh" content="0; url={front}">'
        Path(app.outdir, "index.html").write_text(f'{text}<a href="{front}">mmrec</a>\n')
