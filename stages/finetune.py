"""finetune: features, sequences and pre-trained weights -> the model that is evaluated."""

from __future__ import annotations

from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Fine-tune the model of run `key` from the pre-training it names."""
    from mmrec.training.launching import on_processes

    return on_processes(_finetune, params, paths, key)


def _finetune(params: Params, paths: Paths, key: str) -> Summary:
    from mmrec.models.data import TrainingRun, load_model_data
    from mmrec.training.checkpoint import discard_checkpoints
    from mmrec.training.distributed import is_first_process
    from mmrec.training.finished import load_weights, save_model
    from mmrec.training.fit import fit

    settings = entry(params.runs, key, "runs")
    data = load_model_data(
        paths.dataset(settings.dataset), text=settings.text, image=settings.image
    )
    checkpoints = paths.checkpoints / f"{key}-finetune"
    recommender, record = fit(
        params.models[settings.model],
        data,
        TrainingRun("finetune", settings.seed, params.validation.mask_history),
        weights=load_weights(paths.run(settings.init_from).pretrained),
        checkpoint_dir=checkpoints,
        history_path=paths.run(key).finetune_history,
    )
    if is_first_process():
        save_model(recommender, record, data.items, paths.run(key).finetuned)
        discard_checkpoints(checkpoints)
    return {name: value for name, value in record.items() if name != "model"}


if __name__ == "__main__":
    run(main)
