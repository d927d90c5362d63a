"""One cut epoch of a RecBole model, run in RecBole's environment: data in, a JSON line out.

Everything measured is RecBole's own: reading its atomic files, splitting, prefix augmentation,
model, trainer, full ranking. Three things are mended so that version 1.2.1 runs at all; none is
in what is measured: ray is left out (only the hyper-parameter search uses it), the numpy names
that newer releases removed are put back, and its command line is hidden from its config.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
import types
import warnings
from pathlib import Path
from typing import Any

from probe import FirstBatches, peak_mib, report, versions

NAME = "data"
SETTINGS = {
    "USER_ID_FIELD": "user_id",
    "ITEM_ID_FIELD": "item_id",
    "TIME_FIELD": "timestamp",
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    "ITEM_LIST_LENGTH_FIELD": "item_length",
    "LIST_SUFFIX": "_list",
    "MAX_ITEM_LIST_LENGTH": 50,
    "eval_args": {
        "split": {"LS": "valid_and_test"},
        "order": "TO",
        "group_by": "user",
        "mode": "full",
    },
    "metrics": ["Recall", "NDCG", "MRR"],
    "topk": [5, 10, 20],
    "valid_metric": "NDCG@10",
    "train_batch_size": 1024,
    "eval_batch_size": 2048,
    "learning_rate": 1e-3,
    "epochs": 1,
    "loss_type": "CE",
    "train_neg_sample_args": None,
    "reproducibility": True,
    "use_gpu": False,
    "show_progress": False,
    "checkpoint_dir": "saved",
}
MODELS = {
    "SASRec": {
        "hidden_size": 64,
        "n_layers": 2,
        "n_heads": 2,
        "inner_size": 256,
        "hidden_dropout_prob": 0.5,
        "attn_dropout_prob": 0.5,
    },
    "GRU4Rec": {"embedding_size": 64, "hidden_size": 64, "num_layers": 1, "dropout_prob": 0.3},
}


def mend() -> None:
    """Make `import recbole` work."""
    import numpy as np

    ray, tune = types.ModuleType("ray"), types.ModuleType("ray.tune")
    ray.tune = tune  # type: ignore[attr-defined]
    sys.modules |= {"ray": ray, "ray.tune": tune}
    for name, kind in {"float": np.float64, "int": np.int64, "object": np.object_}.items():
        setattr(np, name, kind)


def write_atomic_file(sequences: Path, folder: Path) -> None:
    """RecBole's own format, made before its clock starts."""
    (folder / NAME).mkdir()
    with (
        sequences.open(encoding="utf-8") as lines,
        (folder / NAME / f"{NAME}.inter").open("w", encoding="utf-8") as out,
    ):
        out.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for line in lines:
            user, *items = line.split()
            out.writelines(f"{user}\t{item}\t{place}\n" for place, item in enumerate(items))


def main(arguments: argparse.Namespace) -> None:
    """Measure and report."""
    mend()
    import recbole.model.sequential_recommender  # noqa: F401  # turns the NaN scan on
    import torch
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    if arguments.without_nan_scan:
        torch.autograd.set_detect_anomaly(False)
    torch.set_num_threads(arguments.threads)
    logging.disable(logging.WARNING)
    write_atomic_file(arguments.sequences, Path.cwd())
    settings = {**SETTINGS, **MODELS[arguments.model], "data_path": "."}
    sys.argv = sys.argv[:1]
    imported = peak_mib()
    started = time.perf_counter()
    config = Config(model=arguments.model, dataset=NAME, config_dict=settings)
    init_seed(config["seed"], config["reproducibility"])
    train, valid, _ = data_preparation(config, create_dataset(config))
    next(iter(train))
    first_batch_s, first_batch_mib = time.perf_counter() - started, peak_mib() - imported
    model = get_model(config["model"])(config, train.dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    cut = FirstBatches(train, arguments.batches)
    trainer._train_epoch(cut, 0)
    targets = len(train.dataset)
    report(
        system="recbole",
        model=arguments.model.lower(),
        seconds_per_epoch=[cut.seconds * targets / (arguments.batches * 1024)],
        scaled_from_batches=arguments.batches,
        targets=targets,
        ranking_users_per_s=None if arguments.no_ranking else users_per_s(trainer, valid),
        peak_rss_mib=peak_mib(),
        import_rss_mib=imported,
        raw_to_first_batch_s=first_batch_s,
        raw_to_first_batch_mib=first_batch_mib,
        nan_scan=torch.is_anomaly_enabled(),
        versions=versions("recbole", "torch", "numpy"),
    )


def users_per_s(trainer: Any, valid: Any) -> float:
    """Full ranking of every user's validation item, metrics included."""
    started = time.perf_counter()
    trainer._valid_epoch(valid)
    return len(valid.dataset) / (time.perf_counter() - started)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequences", type=lambda text: Path(text).resolve())
    parser.add_argument("--model", choices=MODELS, required=True)
    parser.add_argument("--batches", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--without-nan-scan", action="store_true")
    parser.add_argument("--no-ranking", action="store_true")
    warnings.simplefilter("ignore")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)  # RecBole leaves logs and checkpoints where it runs
        main(chosen)
        os.chdir("/")
