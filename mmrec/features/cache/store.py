"""All values of one fingerprint: look up, read, append."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mmrec.features.cache.age import remove_abandoned
from mmrec.features.cache.index import KeyIndex, load_index
from mmrec.features.cache.layout import ValueArray, layout_of
from mmrec.features.cache.plain import is_plain_file
from mmrec.features.cache.segments import (
    KeyArray,
    read_keys,
    read_rows,
    segment_files,
    segment_metadata,
    write_segment,
)
from mmrec.features.contract import Fingerprint
from mmrec.io import DataError, read_json, write_json
from mmrec.params.features import Level

logger = logging.getLogger(__name__)

DESCRIPTION = "fingerprint.json"


class SecondLevel(Protocol):
    """Where others' segments can be fetched from."""

    def fetch(self, store: str, keys: KeyArray, folder: Path) -> int:
        """Bring the segments that hold any of the keys into `folder`; returns how many."""
        ...


def store_name(fingerprint: Fingerprint) -> str:
    """Folder of a fingerprint's vectors, the same in every cache."""
    return f"{fingerprint.extractor}-{fingerprint.digest()[:16]}"


def read_description(store: Path) -> tuple[Fingerprint, dict[str, str]]:
    """What a store's values are made by, and the versions it was begun with.

    Raises:
        DataError: there is no description, or it is damaged or of another version of this code.
    """
    path = store / DESCRIPTION
    if path.exists() and not is_plain_file(path):
        raise DataError(
            f"{path}: not a file of its own; a stage that uses the store writes it anew"
        )
    described = read_json(path)
    try:
        return Fingerprint(**described["fingerprint"]), dict(described["libraries"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: not the description of a store of this version ({error}); a stage that uses "
            "the store writes it anew"
        ) from None


class FeatureStore:
    """Values by content key, in immutable segments that any number of writers may add to.

    A lost, damaged or foreign segment costs its values and nothing else: it is set aside, and
    its contents count as not encoded. One that the machine cannot read, for want of rights or of
    open files, say, may be sound: it stays where it is, and the `OSError` ends the run.
    """

    def __init__(
        self,
        root: Path,
        fingerprint: Fingerprint,
        libraries: Mapping[str, str],
        *,
        level: Level = "vectors",
        second_level: SecondLevel | None = None,
    ) -> None:
        """Open the store of a fingerprint, making it if there is none.

        Args:
            root: folder of the whole cache.
            fingerprint: of the values as they are kept.
            libraries: versions in use, recorded beside the fingerprint.
            level: what a content has: a vector, or the states of its tokens.
            second_level: where to look for what is not here.
        """
        self.name = store_name(fingerprint)
        self.folder = root / self.name
        self._second_level = second_level
        self._fingerprint = fingerprint.to_json().encode()
        self._layout = layout_of(level, fingerprint.dim, fingerprint.precision)
        self._metadata = segment_metadata(fingerprint, libraries)
        self.segments_folder.mkdir(parents=True, exist_ok=True)
        self.libraries = self._described(libraries)
        """Versions that the store was begun with."""
        self._indices = self._open()

    @property
    def segments_folder(self) -> Path:
        """Folder of the segments."""
        return self.folder / "segments"

    def fill(self, keys: KeyArray, values: ValueArray) -> npt.NDArray[np.bool_]:
        """Write the values of the keys that are known into `values`; says which are.

        Args:
            keys: [n] distinct, ascending.
            values: of n contents; those of unknown keys are left as they are.

        Returns:
            [n] whether the key is known.
        """
        known = self._fill(keys, values)
        for look_again in (self._follow, self._fetch):
            if not known.all() and look_again(keys[~known]):
                missing = np.flatnonzero(~known)
                brought = values[missing]
                known[missing] = self._fill(keys[missing], brought)
                values[missing] = brought
        return known

    def known(self, keys: KeyArray) -> npt.NDArray[np.bool_]:
        """[n] which of the keys are held, without reading their values.

        Args:
            keys: [n] distinct, ascending.
        """
        found = self._found(keys)
        if not found.all() and self._fetch(keys[~found]):
            found = self._found(keys)
        return found

    def refresh(self) -> None:
        """See what was appended since the store was opened, by whomever."""
        self._indices = self._open()

    def append(self, keys: KeyArray, values: ValueArray) -> None:
        """Add values, durably: when this returns, they survive the end of the process."""
        if len(keys):
            write_segment(self.segments_folder, keys, values, self._layout, self._metadata)

    def _described(self, libraries: Mapping[str, str]) -> Mapping[str, str]:
        """Write down what the store holds, unless somebody has; returns the versions of then."""
        try:
            found, begun_with = read_description(self.folder)
            if found.to_json().encode() == self._fingerprint:
                return begun_with
        except DataError:
            pass  # the first to come, or the file is damaged or foreign
        described = {"fingerprint": json.loads(self._fingerprint), "libraries": dict(libraries)}
        write_json(described, self.folder / DESCRIPTION)
        return dict(libraries)

    def _open(self) -> list[KeyIndex]:
        remove_abandoned(self.segments_folder)
        names = self._names()
        while True:
            indices = load_index(self.folder / "index", sorted(names), self._keys_of)
            listed, names = names, self._names()
            if listed <= names:
                return indices
            # Joined with others meanwhile, in a file that was perhaps not listed.

    def _names(self) -> set[str]:
        return {path.name for path in segment_files(self.segments_folder)}

    def _keys_of(self, name: str) -> KeyArray | None:
        path = self.segments_folder / name
        try:
            return read_keys(path, self._fingerprint, self._layout)
        except DataError as error:
            self._set_aside(path, error)
            return None

    def _follow(self, _: KeyArray) -> bool:
        """See where the values are now, if segments are gone: others may have joined them."""
        there = self._names()
        if all(there.issuperset(index.segments) for index in self._indices):
            return False
        self.refresh()
        return True

    def _fetch(self, keys: KeyArray) -> bool:
        """Bring what holds any of the keys from the second level; says whether anything came."""
        if self._second_level is None:
            return False
        fetched = self._second_level.fetch(self.name, keys, self.segments_folder)
        if fetched:
            self.refresh()
        return fetched > 0

    def _found(self, keys: KeyArray) -> npt.NDArray[np.bool_]:
        found = np.zeros(len(keys), bool)
        for index in self._indices:
            found |= index.find(keys) >= 0
        return found

    def _fill(self, keys: KeyArray, values: ValueArray) -> npt.NDArray[np.bool_]:
        known = np.zeros(len(keys), bool)
        for index in self._indices:
            rows = index.find(keys)
            rows[known] = -1
            wanted = np.flatnonzero(rows >= 0)
            segments = index.segment_of(rows[wanted])
            for segment in np.unique(segments):
                places = wanted[segments == segment]
                within = rows[places] - index.starts[segment]
                found = self._rows_of(index.segments[segment], within, keys[places])
                if found is not None:
                    values[places] = found
                    known[places] = True
        return known

    def _rows_of(self, name: str, rows: npt.NDArray[np.int64], keys: KeyArray) -> ValueArray | None:
        path = self.segments_folder / name
        try:
            found = read_rows(path, rows, keys, self._fingerprint, self._layout)
        except DataError as error:
            self._set_aside(path, error)
            return None
        if self._layout.usable(found).all():
            return found
        self._set_aside(path, DataError(f"{path}: holds values that are not finite"))
        return None

    def _set_aside(self, path: Path, error: DataError) -> None:
        # Perhaps it was the index that was wrong, and it would be used again.
        shutil.rmtree(self.folder / "index", ignore_errors=True)
        aside = self.folder / "damaged" / path.name
        try:
            aside.parent.mkdir(exist_ok=True)
            path.replace(aside)
        except FileNotFoundError:
            return  # another process has moved it, or pruned the store
        logger.warning("%s; moved to %s, its contents are encoded again", error, aside)
