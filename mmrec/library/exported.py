"""A finished run in a folder of its own: weights, settings, items, vectors, features and a card.

- `run.json`: what it is, and a checksum of every other file;
- `README.md`: the same for people;
- `item_vectors.parquet`: ITEM_VECTORS, of models that have them;
- `categories.json`: category by item id, where the project has words for them;
- `model/`: weights with their settings;
- `dataset/`: items, what the model reads of them, and sequences of nobody;
- `onnx/`: the towers of the model (`mmrec.onnx.write`), where they were asked for.

No user and no interaction is in it, but for how often each item was chosen in training.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mmrec import schemas
from mmrec.atomic import writing
from mmrec.dataset_paths import DatasetPaths
from mmrec.io import DataError, read_json, write_json, write_table, write_text
from mmrec.library.catalogue import Catalogue
from mmrec.library.dataset import Dataset
from mmrec.library.ranker import SingleRanker
from mmrec.library.run import Run
from mmrec.models.data import load_model_data
from mmrec.recommender import Recommender
from mmrec.training.finished import load_finetuned
from mmrec.training.sealed_files import (
    DamagedError,
    file_checksum,
    read_sealed,
    remove,
    require_checksum,
    sealed,
)

RUN: Final = "run.json"
ONNX: Final = "onnx"
FORMAT: Final = 1
"""Of the folder; another one is refused."""
_CATEGORIES: Final = "categories.json"
_AGAIN: Final = "export the run again"


@dataclass(frozen=True)
class Exported:
    """What a folder is made of.

    Attributes:
        run: as it is in its project.
        kind: name of its model.
        finetuned: folder of its weights.
        dataset: paths of its dataset.
        features: names of what it reads, by modality.
        card: text for people.
        onnx: whether towers are written.
    """

    run: Run
    kind: str
    finetuned: Path
    dataset: DatasetPaths
    features: dict[str, str]
    card: str
    onnx: bool = False


def write_exported(exported: Exported, folder: Path) -> None:
    """Write the folder, whole or not at all.

    Raises:
        ValueError: there is something of that name.
        WriteError: the disk is full, say; nothing is left.
    """
    require_new(folder)
    with _new_folder(folder) as temporary:
        _write_parts(exported, temporary)
        files = {
            path.relative_to(temporary).as_posix(): file_checksum(path)
            for path in sorted(temporary.rglob("*"))
            if path.is_file()
        }
        told = {"name": exported.run.name, "kind": exported.kind, **exported.features}
        write_json(sealed({"format": FORMAT, **told, "files": files}), temporary / RUN)


def require_new(folder: Path) -> None:
    """Refuse the name of something that there is.

    Raises:
        ValueError: there is.
    """
    if folder.exists() or folder.is_symlink():
        raise ValueError(f"{folder}: is there already; name a new folder, or take this one away")


def _write_parts(exported: Exported, folder: Path) -> None:
    own = DatasetPaths(folder / "dataset")
    shutil.copytree(exported.finetuned, folder / "model")
    own.clean.mkdir(parents=True)
    shutil.copy(exported.dataset.items, own.items)
    nobody = schemas.CLEAN_SEQUENCES
    write_table(nobody.empty_table(), own.sequences, nobody)
    for name in {*exported.features.values()}:
        shutil.copytree(exported.dataset.features(name), own.features(name))
    run = exported.run
    if run.has_vectors:
        vectors = run.item_vectors().to_arrow()
        schema = schemas.item_vectors(vectors["vector"].type.list_size)
        write_table(vectors, folder / "item_vectors.parquet", schema)
    categories = run.known_categories()
    if categories:
        write_json(categories, folder / _CATEGORIES)
    write_text(exported.card, folder / "README.md")
    if exported.onnx:
        from mmrec.onnx.write import write_towers

        recommender = _recommender(folder, exported.features)
        write_towers(recommender, run.items["item_id"].to_list(), folder / ONNX)


def _recommender(folder: Path, features: Mapping[str, Any]) -> Recommender:
    """The model of a folder, as it ranks."""
    own = DatasetPaths(folder / "dataset")
    data = load_model_data(own, text=features["text"], image=features["image"])
    return load_finetuned(data, folder / "model")


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside it, which becomes it on success and else vanishes."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    try:
        with writing(folder, temporary):
            folder.parent.mkdir(parents=True, exist_ok=True)
            remove(temporary)
            temporary.mkdir()
            yield temporary
            temporary.rename(folder)
    finally:
        remove(temporary)


def is_exported(folder: Path) -> bool:
    """Whether a folder is what `write_exported` leaves."""
    return (folder / RUN).is_file()


def open_exported(folder: Path) -> Run:
    """The run of a folder that `write_exported` wrote; without its project, DVC or data.

    Raises:
        DataError: a file is missing or damaged, or the folder is of another version.
    """
    record = _read_record(folder)
    ranker = SingleRanker(_recommender(folder, record), record["kind"])
    kept = read_json(folder / _CATEGORIES) if _CATEGORIES in record["files"] else None
    items = Dataset(record["name"], DatasetPaths(folder / "dataset")).items
    return Run(record["name"], Catalogue(items, None, kept=kept), ranker)


def _read_record(folder: Path) -> dict[str, Any]:
    try:
        record = read_sealed(folder / RUN)
        if record.get("format") != FORMAT:
            raise DataError(
                f"{folder / RUN}: format {record.get('format')}, this version reads {FORMAT}; "
                f"{_AGAIN} with this version, or open it with the one that wrote it"
            )
        for name, checksum in record["files"].items():
            require_checksum(folder / name, checksum)
    except FileNotFoundError as error:
        raise DataError(f"{error.filename}: file not found; {_AGAIN}") from None
    except DamagedError as error:
        raise DataError(f"{error}; {_AGAIN}") from None
    return record
