"""An extractor whose model is loaded only if there is something to encode.

Its fingerprint is remembered from the last time the model was loaded, for as long as its files,
its settings, the libraries and the code of the extractors are as they were then.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import cached_property, partial
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from mmrec.features.cache.plain import is_plain_file
from mmrec.features.contract import (
    BlocksPlan,
    Extractor,
    Fingerprint,
    FloatArray,
    TokenExtractor,
    TokenStates,
    canonical_json,
    library_versions,
)
from mmrec.features.extractors.hub import WeightsError, model_source
from mmrec.io import DataError, write_json
from mmrec.params.named_files import texts_that_may_name_files

if TYPE_CHECKING:
    from torch.nn import Module

    from mmrec.params.section import Section

logger = logging.getLogger(__name__)

T = TypeVar("T")
X = TypeVar("X", bound="Extractor[Any] | TokenExtractor[Any]")


class _Lazy(Generic[X]):
    """Knows its fingerprint, and loads its model when it first encodes."""

    def __init__(
        self,
        fingerprint: Fingerprint,
        libraries: Mapping[str, str],
        build: Callable[[], X],
        forget: Callable[[], None],
    ) -> None:
        """Remember how to load the model; `build` must give an extractor of `fingerprint`.

        If it does not, `forget` sees to it that the next run goes by the model as it is.
        """
        self.fingerprint = fingerprint
        self.libraries = libraries
        self.dim = fingerprint.dim
        self._build = build
        self._forget = forget

    @cached_property
    def loaded(self) -> X:
        """The extractor itself.

        Raises:
            DataError: the model is not the one that was remembered.
        """
        extractor = self._build()
        if extractor.fingerprint != self.fingerprint:
            self._forget()
            raise DataError(
                f"extractor {self.fingerprint.extractor}: the model changed while it was in use; "
                "run the stage again"
            )
        return extractor


class LazyExtractor(_Lazy[Extractor[T]], Generic[T]):
    """An `Extractor` whose model is loaded when it first encodes."""

    level: Literal["vectors"] = "vectors"

    def encode(self, contents: Iterable[T]) -> FloatArray:
        """Vectors [n, dim] in the order of the contents."""
        return self.loaded.encode(contents)


class LazyTokenExtractor(_Lazy[TokenExtractor[T]], Generic[T]):
    """A `TokenExtractor` whose model is loaded when it first encodes."""

    level: Literal["tokens"] = "tokens"

    def __init__(self, blocks_plan: BlocksPlan, *remembered: Any) -> None:
        """Remember the plan of the last blocks and what any extractor remembers."""
        super().__init__(*remembered)
        self.blocks_plan = blocks_plan

    def encode(self, contents: Iterable[T]) -> TokenStates:
        """States of the contents, in their order."""
        return self.loaded.encode(contents)

    @property
    def last_blocks(self) -> Module:
        """What turns these states into the model's final ones."""
        return self.loaded.last_blocks


def remembered(params: Section, build: Callable[[], X], memory: Path) -> X:
    """The extractor of some params, its model loaded only if it is not known or is needed.

    Args:
        params: of the extractor; they say where its files are.
        build: loads the model.
        memory: folder of remembered fingerprints.
    """
    files = _files(params)
    if files is None:
        return build()
    path = memory / f"{_signature(params, files)}.json"
    try:
        kept: dict[str, Any] = json.loads(path.read_text() if is_plain_file(path) else "")
        if library_versions(*kept["libraries"]) == kept["libraries"]:
            return _lazy(kept, build, path)
    except (OSError, ValueError, KeyError, TypeError, PackageNotFoundError):
        pass  # not remembered, or by code or libraries that are no more
    extractor = build()
    kept = {
        "fingerprint": asdict(extractor.fingerprint),
        "level": extractor.level,
        "libraries": dict(extractor.libraries),
    }
    if isinstance(plan := getattr(extractor, "blocks_plan", None), BlocksPlan):
        kept["blocks_plan"] = asdict(plan)
    try:
        write_json(kept, path)
    except OSError as error:
        logger.warning("%s: the next run loads the model to know it (%s)", path, error)
    return extractor


def _lazy(kept: Mapping[str, Any], build: Callable[[], X], path: Path) -> X:
    """The extractor that a memory is of."""
    kind: Any = LazyExtractor
    if kept["level"] == "tokens":
        kind = partial(LazyTokenExtractor, BlocksPlan(**kept["blocks_plan"]))
    lazy: X = kind(Fingerprint(**kept["fingerprint"]), kept["libraries"], build, path.unlink)
    return lazy


def _files(params: Section) -> list[Path] | None:
    """Files of a model, its tokenizer and whatever else it reads.

    None if one of them comes from the hub, where a name may mean other files tomorrow.
    """
    found: list[Path] = []
    for text in texts_that_may_name_files(params):
        files = _local_files(text)
        if files is None:
            return None
        found += files
    return found


def _local_files(model: str) -> list[Path] | None:
    try:
        folder = Path(model_source(model).removeprefix("local-dir:"))
    except WeightsError:
        return None  # building it says what is wrong
    if folder.is_file():
        return [folder]
    return sorted(path for path in folder.rglob("*") if path.is_file()) or None


def _file_signature(path: Path) -> str:
    stat = path.stat()
    return f"{path} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"


def _signature(params: Section, files: list[Path]) -> str:
    folder = Path(__file__).parent
    code = [*sorted(folder.glob("*.py")), folder.parent / "contract.py"]
    parts = [
        canonical_json(params.model_dump()),
        *map(_file_signature, sorted(files)),
        *(blake2b(path.read_bytes()).hexdigest() for path in code),
    ]
    return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
