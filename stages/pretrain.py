"""pretrain: features and sequences -> a model that runs start from."""

from __future__ import annotations

from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Pre-train entry `key` of `pretrainings`."""
    from mmrec.training.launching import on_processes
    from mmrec.training.train_stage import Places, train_stage

    settings, results = entry(params.pretrainings, key, "pretrainings"), paths.pretraining(key)
    places = Places(
        start=None,
        result=results.pretrained,
        history=results.history,
        checkpoints=paths.checkpoints / f"{key}-pretrain",
    )
    return on_processes(train_stage, "pretrain", settings, params, paths, places)


if __name__ == "__main__":
    run(main)
