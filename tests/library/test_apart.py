"""An exported folder in a process of its own: without DVC and data, and as ONNX without torch."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmrec import export_run
from mmrec.library.run import Run
from tests.library.worlds import item

ROOT = Path(__file__).parents[2]
SEEN = [[item(3), item(7)], [item(0)]]
WITHOUT = """
import sys
for name in {names}:
    sys.modules[name] = None  # importing it is an error
"""


def answers(program: str, without: list[str], folder: Path) -> object:
    """What a program prints, as JSON, in a folder and without some packages."""
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(names=without) + program],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert not found.returncode, found.stderr
    return json.loads(found.stdout)


@pytest.fixture(scope="module")
def folder(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `exported` is SASRec, with its towers."""
    found = tmp_path_factory.mktemp("apart")
    export_run("sasrec", found / "exported", project=shop, onnx=True)
    return found


def expected(run: Run) -> list[list[str]]:
    lists = run.recommend(SEEN, 6)
    return [lists.filter(history=row)["item_id"].to_list() for row in range(len(SEEN))]


def test_a_folder_is_opened_without_dvc_and_data(folder: Path, runs: dict[str, Run]) -> None:
    program = f"""
import json
from pathlib import Path
from mmrec import open_run
lists = open_run(Path("exported")).recommend({SEEN}, 6)
print(json.dumps([lists.filter(history=row)["item_id"].to_list() for row in range({len(SEEN)})]))
"""
    assert answers(program, ["dvc", "stages", "onnx", "onnxruntime"], folder) == expected(
        runs["sasrec"]
    )


def test_the_documented_lines_rank_with_onnxruntime_and_numpy_alone(
    folder: Path, runs: dict[str, Run]
) -> None:
    page = (ROOT / "docs" / "onnx.md").read_text()
    found = re.search(r"```python\n(.+?)```", page, re.DOTALL)
    assert found
    lines, _, _ = found[1].rpartition("print(")
    program = f"{lines}\nprint(json.dumps(recommend({SEEN}, k=6)))"
    assert answers(program, ["torch", "mmrec", "polars"], folder) == expected(runs["sasrec"])


def test_graphs_are_files_of_the_folder_and_the_card_names_them(folder: Path) -> None:
    files = json.loads((folder / "exported" / "run.json").read_text())["files"]
    assert {"onnx/user_tower.onnx", "onnx/item_vectors.npy", "onnx/about.json"} <= set(files)
    assert "`onnx/`" in (folder / "exported" / "README.md").read_text()


def test_what_has_no_towers_or_no_package_is_refused_before_anything_is_written(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"run 'tfidf': its model \(contentknn\) scores items wit"):
        export_run("tfidf", tmp_path / "new", project=shop, onnx=True)
    monkeypatch.setattr("mmrec.onnx.write.find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"extra `onnx` are not installed \(onnx, onnxscript\)"):
        export_run("sasrec", tmp_path / "new", project=shop, onnx=True)
    assert not any(tmp_path.iterdir())
