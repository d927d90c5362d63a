"""MP4SR and its variants on the demo shop, over several seeds: `python -m benchmarks.demo_study`.

Needs the features of the demo (`make repro`). Every variant is trained with the settings of
`params.yaml`, changed as its name says. Results are kept in `benchmarks/results/` as they
come; a second call computes what is missing, and everything if settings, features or the code
of models and training have changed. `python -m benchmarks.demo_study sasrec mp4sr` computes
only these.
"""

from __future__ import annotations

import dataclasses
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from statistics import mean, stdev

from mmrec.data.split import hold_out_test
from mmrec.evaluation.evaluator import evaluate_ranks
from mmrec.evaluation.metrics import summarize_ranks
from mmrec.io import read_json, write_json, write_text
from mmrec.models.data import Feature, ModelData, TrainingRun, load_model_data
from mmrec.models.loading import TrainedWeights
from mmrec.models.registry import system_of
from mmrec.params.file import load_params
from mmrec.params.model import Stage
from mmrec.params.models.mp4sr import Mp4srParams
from mmrec.params.models.registry import ModelParams
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.recommender import Recommender
from mmrec.study.workspace import PROJECT
from mmrec.training.fit import fit

SEEDS = (1, 2, 3)
METRICS = ("recall@10", "ndcg@10", "recall@20")
PARTS = ("all", "warm", "cold")
RESULTS = PROJECT / "benchmarks" / "results"


def _finetune(**changes: object) -> Callable[[Mp4srParams], Mp4srParams]:
    def change(model: Mp4srParams) -> Mp4srParams:
        return model.model_copy(update={"finetune": model.finetune.model_copy(update=changes)})

    return change


def _without_pretraining(model: Mp4srParams) -> Mp4srParams:
    assert model.pretrain is not None
    # As many epochs in all: what is compared is the loss, not the budget.
    epochs = model.pretrain.epochs + model.finetune.epochs
    finetune = model.finetune.model_copy(update={"epochs": epochs})
    return model.model_copy(update={"pretrain": None, "finetune": finetune})


def _warm_pretraining(model: Mp4srParams) -> Mp4srParams:
    assert model.pretrain is not None
    warm = model.pretrain.model_copy(update={"items": "warm"})
    return model.model_copy(update={"pretrain": warm})


VARIANTS: dict[str, Callable[[Mp4srParams], Mp4srParams]] = {
    "mp4sr": lambda model: model,
    "mp4sr w/o Pre-train": _without_pretraining,
    "mp4sr-T": _finetune(score_branches="text"),
    "mp4sr-V": _finetune(score_branches="image"),
    "mp4sr, features shuffled": lambda model: model,
    "mp4sr, with ID": _finetune(use_id=True),
    "mp4sr, pre-trained on warm items": _warm_pretraining,
}
ALL = ("popularity", "sasrec", *VARIANTS)


class Study:
    """Trains variants on the demo shop; pre-training that variants share is done once."""

    def __init__(self, project: Path) -> None:
        self._paths = Paths(project)
        self.params: Params = load_params(self._paths.params)
        demo = self._paths.dataset("demo")
        self.ids = load_model_data(demo, text="none", image="none")
        self.content = load_model_data(demo, text="sentences", image="keyword_sentences")
        self._pretrained: dict[str, TrainedWeights | None] = {}

    def digest(self) -> str:
        """Of settings, data and code: results of other inputs are not comparable."""
        digest = blake2b(digest_size=16)
        for section in ("models", "validation", "evaluate"):
            digest.update(self.params.model_dump_json(include={section}).encode())
        demo = self._paths.dataset("demo")
        data = [demo.clean, demo.features("sentences"), demo.features("keyword_sentences")]
        code = [PROJECT / "mmrec" / name for name in ("nn", "models", "training", "evaluation")]
        files = [*(f.rglob("*.parquet") for f in data), *(f.rglob("*.py") for f in code)]
        for path in sorted(path for found in files for path in found):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def metrics(self, variant: str, seed: int) -> dict[str, object]:
        """Metrics of one variant trained from one seed."""
        model: ModelParams = self.params.models["mp4sr" if variant in VARIANTS else variant]
        data = self.content if variant in VARIANTS else self.ids
        if isinstance(model, Mp4srParams):
            model = VARIANTS[variant](model)
        if variant == "mp4sr, features shuffled":
            # One order for both modalities: they agree with each other, on the wrong item.
            features = {name: shuffled(feature, seed) for name, feature in data.features.items()}
            data = dataclasses.replace(data, features=features)
        key = f"{model.name} {model.pretrain} {data.features is self.content.features} {seed}"
        if key not in self._pretrained:
            pretrained = self._fit(model, data, "pretrain", seed, None)
            self._pretrained[key] = (
                TrainedWeights(pretrained.state_dict(), data.items["item_id"], key)
                if pretrained is not None
                else None
            )
        recommender = self._fit(model, data, "finetune", seed, self._pretrained[key])
        ranks = evaluate_ranks(
            recommender or system_of(model).build_recommender(model, data, "finetune"),
            hold_out_test(data.sequences),
            mask_history=self.params.evaluate.mask_history,
            is_cold=data.is_cold,
            training_counts=data.training_counts,
        )
        return dict(summarize_ranks(ranks, cutoffs=self.params.evaluate.cutoffs, history_bins=[]))

    def _fit(
        self,
        model: ModelParams,
        data: ModelData,
        stage: Stage,
        seed: int,
        weights: TrainedWeights | None,
    ) -> Recommender | None:
        if model.training(stage) is None:
            return None
        with tempfile.TemporaryDirectory() as work:
            recommender, _ = fit(
                model,
                data,
                TrainingRun(stage, seed, self.params.validation.mask_history),
                weights=weights,
                checkpoint_dir=Path(work) / "checkpoints",
                history_path=Path(work) / "history.csv",
            )
        return recommender


def shuffled(feature: Feature, seed: int) -> Feature:
    """The feature, each item's given to another."""
    return Feature(lambda: feature.vectors.shuffled(seed))


def format_table(results: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Mean ± standard deviation over the seeds of each variant, as Markdown."""
    columns = [(part, metric) for part in PARTS for metric in METRICS]
    lines = [
        "| variant | seeds | " + " | ".join(f"{part} {metric}" for part, metric in columns) + " |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for variant in ALL:
        rows = [row for key, row in results.items() if key.rpartition(" | ")[0] == variant]
        cells = []
        for part, metric in columns:
            values = [row[part][metric] for row in rows]
            spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
            cells += [f"{mean(values):.4f}{spread}"] if values else []
        if rows:
            lines.append(f"| {variant} | {len(rows)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(chosen: tuple[str, ...]) -> None:
    """Compute what is missing of the chosen variants, then write the table."""
    study = Study(PROJECT)
    file, inputs = RESULTS / "demo_study.json", study.digest()
    kept = read_json(file) if file.exists() else {}
    results = kept["results"] if kept.get("inputs") == inputs else {}
    for seed in SEEDS:
        for variant in chosen:
            key = f"{variant} | {seed}"
            if key not in results:
                started = time.perf_counter()
                results[key] = study.metrics(variant, seed)
                write_json({"inputs": inputs, "results": results}, file)
                write_text(format_table(results), RESULTS / "demo_study.md")
                print(f"{key}: {time.perf_counter() - started:.0f} s", flush=True)
    print(format_table(results))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    unknown = set(sys.argv[1:]) - set(ALL)
    if unknown:
        sys.exit(f"unknown variants: {', '.join(sorted(unknown))}; allowed: {', '.join(ALL)}")
    main(tuple(sys.argv[1:]) or ALL)
