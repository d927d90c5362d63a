"""What tests of the page share."""

from __future__ import annotations

from typing import Any

import pytest

from mmrec.report import curves
from mmrec.report.plots import Plot, line_plot

DRAWN: dict[str, Plot] = {}


@pytest.fixture
def drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages with the same curves take them from the first of them.

    That a curve is drawn the same way each time, `test_page_has_the_same_bytes_every_time` says.
    """

    def drawn(*what: Any, **how: Any) -> Plot:
        key = repr((what, how))
        if key not in DRAWN:
            DRAWN[key] = line_plot(*what, **how)
        return DRAWN[key]

    monkeypatch.setattr(curves, "line_plot", drawn)
