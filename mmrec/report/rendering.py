"""Templates to pages that need nothing from elsewhere: values in, one HTML text out."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

_FOLDER = Path(__file__).parent
_SUFFIXES = (".html", ".htm")


class Script(NamedTuple):
    """Code of a page, and how its content security policy names it: no other runs there."""

    text: Markup
    source: str


def render(template: str, **values: object) -> str:
    """A page; equal values give equal text.

    Args:
        template: A file beside this one.
        values: What it shows; all that it names has to be there.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"pretty": _pretty, "signed": _signed}
    return environment.get_template(template).render(**values)


def script_of(*names: str) -> Script:
    """Files of code beside this one, one after the other."""
    text = "\n".join(["", *((_FOLDER / name).read_text(encoding="utf-8") for name in names)])
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return Script(Markup(text), f"'sha256-{digest}'")


def as_data(value: object) -> Markup:
    """JSON that may stand in a script element: no text in it ends that."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def require_page_name(option: str, path: Path) -> None:
    """Refuse, before anything is computed, a file that is no page: it would be lost.

    Raises:
        ValueError: it ends in something else than a page does.
    """
    if path.suffix not in _SUFFIXES:
        raise ValueError(f"{option} {path}: expected a name that ends in {' or '.join(_SUFFIXES)}")


def _pretty(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")
