"""A model is loaded only where it is needed, and never taken for another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrec.features.extractor import Fingerprint
from mmrec.features.lazy import remembered
from mmrec.io import DataError
from tests.features.test_run import LetterCounts
from tests.features.test_token_states import LetterStates


class Loader:
    """Builds extractors and counts how many."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.count = 0

    def __call__(self) -> Any:
        self.count += 1
        return self.kind()


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("one")
    return {"name": "letters", "model": str(tmp_path / "model"), "revision": None}


@pytest.mark.parametrize("kind", [LetterCounts, LetterStates])
def test_a_known_model_is_loaded_when_it_encodes(settings, kind, tmp_path: Path) -> None:
    remembered(settings, Loader(kind), tmp_path / "memory")
    build = Loader(kind)
    extractor = remembered(settings, build, tmp_path / "memory")
    assert (extractor.fingerprint, extractor.level) == (kind.fingerprint, kind.level)
    assert extractor.dim == kind.dim
    assert build.count == 0
    expected, found = kind().encode(["red", "blue"]), extractor.encode(["red", "blue"])
    values = [np.asarray(getattr(one, "values", one)) for one in (expected, found)]
    assert (values[0] == values[1]).all()
    extractor.encode(["green"])
    assert build.count == 1


def test_other_settings_files_or_hub_names_are_not_taken_for_known(
    settings, tmp_path: Path
) -> None:
    memory, build = tmp_path / "memory", Loader(LetterCounts)
    remembered(settings, build, memory)
    remembered({**settings, "normalize": True}, build, memory)
    (tmp_path / "model" / "weights").write_text("other")
    remembered(settings, build, memory)
    for _ in range(2):
        remembered({**settings, "model": "owner/name"}, build, memory)
    assert build.count == 5


def test_a_model_that_is_not_the_remembered_one_is_refused(settings, tmp_path: Path) -> None:
    class Changed(LetterCounts):
        fingerprint = Fingerprint("letters", 2, "m", "a", "w", "p", "pool", normalize=False, dim=3)

    remembered(settings, Loader(LetterCounts), tmp_path / "memory")
    extractor = remembered(settings, Loader(Changed), tmp_path / "memory")
    with pytest.raises(DataError, match="letters: the model changed while it was in use"):
        extractor.encode(["red"])


def test_a_damaged_memory_costs_the_loading(settings, tmp_path: Path) -> None:
    build = Loader(LetterCounts)
    remembered(settings, build, tmp_path / "memory")
    (path,) = (tmp_path / "memory").glob("*.json")
    path.write_text(path.read_text()[:-20])
    remembered(settings, build, tmp_path / "memory")
    assert build.count == 2
