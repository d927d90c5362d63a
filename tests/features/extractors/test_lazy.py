"""A remembered fingerprint: no model is loaded for nothing, and none is taken for another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmrec.features.contract import Extractor
from mmrec.features.extractors.build import build_text_extractor
from mmrec.features.extractors.lazy import LazyExtractor, LazyTokenExtractor, remembered
from mmrec.io import DataError
from mmrec.params.features import OpenClipTextParams
from mmrec.params.named_files import NAMES_NO_FILE
from mmrec.params.section import Section
from tests.features import worlds
from tests.features.encode.test_embed import LetterCounts
from tests.features.encode.test_token_states import LetterStates
from tests.features.extractor_rows import build_row, extractor_classes, row_params


class MoreLettersParams(Section):
    """A part of an extractor's params."""

    name: Literal["more"]
    lists: dict[str, tuple[str, ...]]


class LettersParams(Section):
    """An extractor that is no part of the project: none of its settings has a known name."""

    name: Literal["letters"]
    letters_from: str
    case: Literal["lower", "upper"] | None = None
    branch: Annotated[str, NAMES_NO_FILE] | None = None
    more: MoreLettersParams | None = None
    comment: str | None = None


@pytest.fixture
def extractor(tmp_path: Path) -> Callable[[], Extractor[str]]:
    """As a stage makes it, of a folder whose weights may change."""
    folder = worlds.write_tiny_clip(tmp_path / "clip")
    params = OpenClipTextParams(
        name="open_clip_text", model=str(folder), pretrained=None, normalize=True
    )
    return lambda: remembered(params, lambda: build_text_extractor(params), tmp_path / "memory")


def change_weights(folder: Path) -> None:
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["ln_final.weight"] = weights["ln_final.weight"] + torch.tensor(0.5)
    save_file(weights, folder / "open_clip_model.safetensors")


def test_the_second_time_no_model_is_loaded_until_it_is_needed(extractor: Any) -> None:
    first, second = extractor(), extractor()
    assert not isinstance(first, LazyExtractor)
    assert isinstance(second, LazyExtractor)
    assert second.fingerprint == first.fingerprint
    assert (second.encode(["a shirt"]) == first.encode(["a shirt"])).all()


def test_other_weights_under_the_same_name_are_another_model(
    extractor: Any, tmp_path: Path
) -> None:
    first = extractor()
    change_weights(tmp_path / "clip")
    second = extractor()
    assert second.fingerprint.weights != first.fingerprint.weights
    assert (second.encode(["a shirt"]) != first.encode(["a shirt"])).any()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"fingerprint": {}, "libraries": {}}'])
def test_a_memory_that_is_damaged_or_foreign_is_made_again(
    extractor: Any, tmp_path: Path, text: str
) -> None:
    expected = extractor().fingerprint
    (memory,) = (tmp_path / "memory").iterdir()
    memory.write_text(text)
    assert extractor().fingerprint == expected
    assert isinstance(extractor(), LazyExtractor)


def test_a_memory_of_another_model_is_refused_once(extractor: Any, tmp_path: Path) -> None:
    expected = extractor().fingerprint
    (memory,) = (tmp_path / "memory").iterdir()
    kept = json.loads(memory.read_text())
    kept["fingerprint"]["weights"] = "others"
    memory.write_text(json.dumps(kept))
    with pytest.raises(DataError, match="the model changed while it was in use; run the stage"):
        extractor().encode(["a shirt"])
    assert extractor().fingerprint == expected


@pytest.mark.parametrize("kind", [LetterCounts, LetterStates])
def test_vectors_and_token_states_are_remembered_as_what_they_are(
    kind: Any, tmp_path: Path
) -> None:
    (tmp_path / "weights").write_text("any")
    params = LettersParams(name="letters", letters_from=str(tmp_path / "weights"))
    remembered(params, kind, tmp_path / "memory")
    extractor: Any = remembered(params, lambda: pytest.fail("loaded"), tmp_path / "memory")
    assert (extractor.level, extractor.fingerprint) == (kind.level, kind.fingerprint)


@pytest.mark.parametrize("change", [{"pillow": "0"}, {"no-such-package": "1"}])
def test_a_memory_of_other_libraries_is_made_again(
    extractor: Any, tmp_path: Path, change: dict[str, str]
) -> None:
    first = extractor()
    (memory,) = (tmp_path / "memory").iterdir()
    kept = json.loads(memory.read_text())
    kept["libraries"] |= change
    memory.write_text(json.dumps(kept))
    second = extractor()
    assert not isinstance(second, LazyExtractor)
    assert second.libraries == first.libraries
    assert isinstance(extractor(), LazyExtractor)


def test_a_memory_is_not_that_of_other_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights").write_text("any")
    params = LettersParams(name="letters", letters_from=str(tmp_path / "weights"))
    (tmp_path / "code").mkdir()
    code = tmp_path / "code" / "letters.py"
    monkeypatch.setattr(
        "mmrec.features.extractors.lazy.__file__", str(tmp_path / "code" / "lazy.py")
    )
    (tmp_path / "contract.py").touch()
    kinds = []
    for text in ("as it was", "as it was", "changed"):
        code.write_text(text)
        kinds.append(type(remembered(params, LetterCounts, tmp_path / "memory")))
    assert kinds == [LetterCounts, LazyExtractor, LetterCounts]


def test_a_name_on_the_hub_may_mean_other_files_tomorrow(tmp_path: Path) -> None:
    params = LettersParams(name="letters", letters_from="owner/name")
    built: list[LetterCounts] = []

    def build() -> LetterCounts:
        built.append(LetterCounts())
        return built[-1]

    for _ in range(2):
        remembered(params, build, tmp_path / "memory")
    assert len(built) == 2


def kept_after(change: Path, params: LettersParams, memory: Path) -> bool:
    """Whether the fingerprint is still known when a file that was there has changed."""
    for _ in range(2):
        remembered(params, LetterCounts, memory)
    assert isinstance(remembered(params, LetterCounts, memory), LazyExtractor)
    change.write_text("changed, and longer")
    return isinstance(remembered(params, LetterCounts, memory), LazyExtractor)


def test_a_file_is_noticed_whatever_the_setting_is_called_that_names_it(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("any")
    other.mkdir()
    (other / "words").write_text("any")
    params = LettersParams(
        name="letters",
        letters_from=str(one),
        case="lower",
        branch="main",
        more=MoreLettersParams(name="more", lists={"en": (str(other),)}),
    )
    assert not kept_after(one, params, tmp_path / "memory")
    assert not kept_after(other / "words", params, tmp_path / "memory")


def test_a_text_that_nothing_is_said_of_has_the_model_loaded_every_time(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("any")
    params = LettersParams(
        name="letters", letters_from=str(tmp_path / "weights"), comment="what may this be?"
    )
    for _ in range(2):
        assert isinstance(remembered(params, LetterCounts, tmp_path / "memory"), LetterCounts)


@pytest.mark.parametrize("kind", extractor_classes(), ids=lambda kind: kind.__name__)
def test_every_extractor_over_local_files_is_remembered(
    kind: type[Section], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    params = row_params(kind, request)
    built = remembered(params, lambda: build_row(params), tmp_path)
    again: Any = remembered(params, lambda: pytest.fail("loaded"), tmp_path)
    assert isinstance(again, LazyExtractor | LazyTokenExtractor)
    assert (again.level, again.fingerprint) == (built.level, built.fingerprint)
