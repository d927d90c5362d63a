"""`dvc exp run -S`: DVC rewrites the params file, which then says what was asked and no more."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import load_yaml

from mmrec.params.file import load_params

ROOT = Path(__file__).parents[2]
REWRITES = 3
SHIPPED = [ROOT / "params.yaml", *sorted((ROOT / "examples").glob("*.yaml"))]


def values(section: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value of a params file that is no section, with the keys that lead to it."""
    for key, value in section.items():
        if isinstance(value, dict) and value:
            yield from values(value, (*path, key))
        else:
            yield (*path, key), value


def replaced(section: Any, path: tuple[str, ...], value: object) -> Any:
    changed = copy.deepcopy(section)
    *parents, last = path
    inner = changed
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return changed


def without_aliases(section: Any) -> Any:
    """A copy in which nothing is the same object as something else."""
    if isinstance(section, dict):
        return {key: without_aliases(value) for key, value in section.items()}
    return [*section] if isinstance(section, list) else section


def test_all_shipped_files_are_tried() -> None:
    assert len(SHIPPED) >= 6


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda path: path.stem)
def test_any_value_of_a_shipped_file_can_be_set_and_nothing_else_changes(
    shipped: Path, tmp_path: Path
) -> None:
    before = without_aliases(load_yaml(str(shipped)))
    found = [*values(before)]
    assert len(found) > 50
    path = tmp_path / "params.yaml"
    shutil.copy(shipped, path)
    # The file is rewritten again and again, as by a user who applies experiment after experiment.
    now = before
    for start in range(REWRITES):
        # Another number for each: where two are one object, the first would have the second's.
        some = {keys: 12321 + place for place, (keys, _) in enumerate(found[start::REWRITES])}
        apply_overrides(path, [f"{'.'.join(keys)}={value}" for keys, value in some.items()])
        for keys, value in some.items():
            now = replaced(now, keys, value)
        assert load_yaml(str(path)) == now, [*some]
    shutil.copy(shipped, path)
    apply_overrides(path, ["evaluate.mask_history=true"])
    assert load_params(path) == load_params(shipped).model_copy(
        update={"evaluate": load_params(path).evaluate}
    )
    assert load_params(path).evaluate.mask_history
