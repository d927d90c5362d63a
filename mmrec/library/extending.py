"""New items in; the data of a run with these behind its catalogue, their features encoded, out."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.data.packing import write_image_parts
from mmrec.data.words import bags_of_words, write_bags_of_words
from mmrec.dataset_paths import DatasetPaths
from mmrec.device import choose_device
from mmrec.features.cache.place import open_cache
from mmrec.features.encode.embed import embed_images, embed_pairs, embed_sentences
from mmrec.features.encode.inputs import first_images, joined_sentences
from mmrec.features.encode.opening import open_extractor
from mmrec.features.extractors.build import (
    build_image_extractor,
    build_pair_tokens,
    build_text_extractor,
)
from mmrec.features.keywords.build import make_keywords
from mmrec.io import open_parquet, part_files, read_table, write_table
from mmrec.library.new_items import NewItems
from mmrec.models.data import ModelData, load_model_data
from mmrec.models.popularity_correction import PopularityCorrected
from mmrec.params.embed_entries import EmbedEntry, entry_of
from mmrec.params.features import (
    BAG_OF_WORDS,
    EmbedImageParams,
    EmbedPairParams,
    EmbedTextParams,
)
from mmrec.params.pipeline import Params, RunParams
from mmrec.paths import Paths
from mmrec.recommender import Recommender


def refuse_without_content(name: str, params: Params) -> None:
    """Refuse a run that could not tell new items from each other.

    Raises:
        ValueError: it is an ensemble, or its model reads nothing of items but interactions.
    """
    if name in params.ensembles:
        raise ValueError(f"'{name}' is an ensemble; add new items to one of its parts")
    model = params.models[params.runs[name].model]
    if not model.modalities("finetune") and not model.reads_words:
        raise ValueError(
            f"run '{name}': its model ({model.name}) reads no content, so that it knows nothing of "
            "new items; take a run of a model with content"
        )


def refuse_ids(name: str, kind: str, recommender: Recommender) -> None:
    """Refuse a model with a row for each item that it was trained with.

    Raises:
        ValueError: it has one; names it.
    """
    found = recommender.recommender if isinstance(recommender, PopularityCorrected) else recommender
    by_item = found.item_parameters()
    if by_item:
        raise ValueError(
            f"run '{name}': its model ({kind}) knows items by their ids, too "
            f"({', '.join(by_item)}), so that it cannot have new ones; take a run without ids"
        )


def extended_data(
    run: RunParams, new: NewItems, params: Params, paths: Paths, folder: Path
) -> ModelData:
    """The data of a run with new items behind those of its catalogue, never chosen by anybody.

    New contents are encoded by the extractors of the run's features, and kept in the project's
    cache. Everything else is written to a folder that may go once a model is built.

    Args:
        run: whose features.
        new: the items.
        params: of the project, which is the current folder.
        paths: of the project.
        folder: an empty one.
    """
    old = paths.dataset(run.dataset)
    fresh, whole = DatasetPaths(folder / "new"), DatasetPaths(folder / "whole")
    items = _items(read_table(old.items, schemas.CLEAN_ITEMS), new)
    write_table(items, whole.items, schemas.CLEAN_ITEMS)
    whole.sequences.symlink_to(old.sequences.resolve())
    write_image_parts(sorted(new.pictures.items()), fresh.raw_images)
    for feature in {run.text, run.image}:
        _encode(feature, run.dataset, new, params, paths, fresh)
        _join(old.features(feature), fresh.features(feature), whole.features(feature))
    return load_model_data(whole, text=run.text, image=run.image)


def _items(old: pa.Table, new: NewItems) -> pa.Table:
    """CLEAN_ITEMS: the old ones, and then the new."""

    def counts(of: pa.Table) -> pl.Series:
        found = pl.Series("item_id", of["item_id"].to_pylist(), dtype=pl.String).value_counts()
        return new.items.join(found, on="item_id", how="left")["count"].fill_null(0)

    number = new.items.height
    columns = {
        "item_id": new.items["item_id"].to_list(),
        "item_index": range(old.num_rows + 1, old.num_rows + 1 + number),
        "title": new.items["title"].to_list(),
        "num_sentences": counts(new.sentences).to_list(),
        "num_images": counts(new.images).to_list(),
        "training_count": [0] * number,
        "is_cold": [True] * number,
    }
    added = pa.table({name: pa.array([*value]) for name, value in columns.items()})
    return pa.concat_tables([old, added.cast(schemas.CLEAN_ITEMS)])


def _join(old: Path, fresh: Path, whole: Path) -> None:
    """The old parts and what lies beside them; behind them the new ones that have rows."""
    whole.mkdir(parents=True)
    for path in old.iterdir():
        (whole / path.name).symlink_to(path.resolve())
    parts = [path for path in part_files(fresh) if _num_rows(path)] if fresh.is_dir() else []
    for number, path in enumerate(parts, start=len(part_files(old))):
        path.rename(whole / f"part-{number:05d}.parquet")


def _num_rows(path: Path) -> int:
    with open_parquet(path) as file:
        return int(file.metadata.num_rows)


def _encode(
    feature: str, dataset: str, new: NewItems, params: Params, paths: Paths, fresh: DatasetPaths
) -> None:
    """Write what the new items have of a feature."""
    if feature == "none":
        return
    if feature == BAG_OF_WORDS:
        write_bags_of_words(bags_of_words(new.sentences), fresh.features(feature))
        return
    entry = entry_of(params.embed, dataset, feature)
    if entry is None:
        return
    if entry.knockout is not None:
        raise ValueError(
            f"feature '{feature}' is knocked out, so that new items cannot have it; take a run "
            "with the whole one"
        )
    _encode_by(entry, new, params, paths, fresh)


def _encode_by(
    entry: EmbedEntry, new: NewItems, params: Params, paths: Paths, fresh: DatasetPaths
) -> None:
    folder, images = fresh.features(entry.feature), RawImages(fresh.raw_images)
    match entry:
        case EmbedTextParams():
            texts = new.sentences
            if entry.input == "keywords/keywords.parquet":
                texts = _keywords(entry.dataset, new, images, params, paths)
            _encode_text(entry, texts, paths, folder)
        case EmbedImageParams():
            found = open_extractor(entry.extractor, build_image_extractor, paths.root)
            embed_images(
                first_images(new.images, entry.max_per_item),
                images,
                found.extractor,
                folder,
                precision=entry.precision,
                cache=found.cache,
                executor=found.executor,
            )
        case EmbedPairParams():
            pairs = open_extractor(entry.extractor, build_pair_tokens, paths.root)
            embed_pairs(
                new.sentences,
                new.images,
                images,
                pairs.extractor,
                folder,
                precision=entry.precision,
                cache=pairs.cache,
                executor=pairs.executor,
            )


def _encode_text(entry: EmbedTextParams, texts: pa.Table, paths: Paths, folder: Path) -> None:
    opened = open_extractor(entry.extractor, build_text_extractor, paths.root)
    embed_sentences(
        joined_sentences(texts) if entry.per == "item" else texts,
        opened.extractor,
        folder,
        precision=entry.precision,
        cache=opened.cache,
        executor=opened.executor,
    )


def _keywords(
    dataset: str, new: NewItems, images: RawImages, params: Params, paths: Paths
) -> pa.Table:
    """KEYWORDS of the new pictures, by the words that the old ones had to choose from."""
    return make_keywords(
        params.datasets[dataset].keywords,
        images=new.images,
        sentences=read_table(paths.dataset(dataset).sentences, schemas.SENTENCES),
        raw_images=images,
        device=str(choose_device()),
        cache=open_cache(paths.root),
    ).table
