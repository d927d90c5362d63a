"""finetune: features, sequences and pre-trained weights -> the model that is evaluated."""

from __future__ import annotations

from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.run_paths import validation_of
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Fine-tune the model of run `key` from the pre-training it names, or from none."""
    from mmrec.training.launching import on_processes
    from mmrec.training.train_stage import Places, train_stage

    settings, results = entry(params.runs, key, "runs"), paths.run(key)
    places = Places(
        start=paths.pretraining(settings.init_from).pretrained,
        result=results.finetuned,
        history=results.finetune_history,
        checkpoints=paths.checkpoints / f"{key}-finetune",
        validation=validation_of(results),
    )
    return on_processes(train_stage, "finetune", settings, params, paths, places)


if __name__ == "__main__":
    run(main)
