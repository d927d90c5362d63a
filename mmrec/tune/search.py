"""A search from its file to its results: every trial that is left, and what came of all."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from mmrec.io import DataError
from mmrec.library.dataset import dataset_of
from mmrec.training.digest import code_digest
from mmrec.training.finished import RECORD
from mmrec.training.sealed_files import file_checksum
from mmrec.tune.folder import PLACE, REASON, Claim, SearchFolder, begin
from mmrec.tune.results import Results, results_of, write_results
from mmrec.tune.sampling import Sampling
from mmrec.tune.target import Target, open_target
from mmrec.tune.trial import Outcome, PrunedError, make_trial

_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}

logger = logging.getLogger(__name__)


def run_search(path: Path, project: Path, *, anew: bool = False) -> tuple[Target, Results]:
    """Make the trials of a search that are left; several processes may do so at once.

    Only validation is looked at. Nothing of the project is changed but for the file of results,
    which is written after each trial.

    Args:
        path: of the search's file.
        project: the folder with `params.yaml`.
        anew: put the trials that there are aside.

    Raises:
        SearchError: the file is wrong, or is another than when its search began.
        ParamsError: `params.yaml` is wrong.
        DataError: dataset, features or pre-training are not there.
    """
    target = open_target(path, project)
    folder = target.paths.root / ".mmrec" / "searches" / target.name
    begin(folder, decisive(target), anew=anew)
    sampling = Sampling(target.search, target.within)
    kept = SearchFolder(folder, sampling, sampling.num_trials)
    while True:
        with kept.claim() as claim:
            if claim is None:
                break
            # The first has the entry as it is, within the space or not.
            settings = sampling.settings(claim.trial.params) if claim.place else {}
            outcome = _make(target, claim, settings)
            _tell(kept.study, claim, outcome)
        logger.info("%s", _keep_results(target, sampling, kept).told(claim.place))
    return target, _keep_results(target, sampling, kept)


def decisive(target: Target) -> dict[str, Any]:
    """What decides the outcome of trials, by section."""
    run, paths = target.run, target.paths
    dataset = dataset_of(run.dataset, paths).paths
    start = paths.pretraining(run.init_from).pretrained / RECORD
    features = [dataset.features(name) for name in (run.text, run.image)]
    files = [dataset.items, dataset.sequences, start]
    files += sorted(path for feature in features for path in feature.rglob("*") if path.is_file())
    missing = [path for path in [*files, *features] if not path.exists()]
    if missing:
        raise DataError(
            f"{missing[0]}: not found; run `dvc repro finetune@{target.search.run}`, which makes "
            "all that a trial reads"
        )
    described = target.model.described("finetune")
    return {
        "search": target.search.model_dump(mode="json", exclude={"num_trials"}),
        "run": run.model_dump(mode="json"),
        "model": described,
        "validation": target.params.validation.model_dump(mode="json"),
        "data": {str(path.relative_to(paths.root)): file_checksum(path) for path in files},
        "code": code_digest("finetune", described),
    }


def _make(target: Target, claim: Claim, settings: Mapping[str, Any]) -> Outcome:
    trial = claim.trial

    def seen(epoch: int, value: float) -> None:
        trial.report(value, epoch)
        if trial.should_prune():
            raise PrunedError

    return make_trial(target, settings, claim.work, seen)


def _tell(study: optuna.Study, claim: Claim, outcome: Outcome) -> None:
    for name in ("epoch", "epochs", "seconds"):
        claim.trial.set_user_attr(name, getattr(outcome, name))
    if outcome.state == "complete":
        study.tell(claim.trial, outcome.value)
    else:
        claim.trial.set_user_attr("value", outcome.value)
        if outcome.state == "failed":
            claim.trial.set_user_attr(REASON, outcome.reason)
        study.tell(claim.trial, state=_STATES[outcome.state])


def _keep_results(target: Target, sampling: Sampling, kept: SearchFolder) -> Results:
    """Write down what is known by now."""
    with kept.alone():  # or a slower process would write what it read before
        trials = [_as_json(target, sampling, one) for one in kept.trials()]
        results = results_of(target, trials, sampling.num_trials, kept.running(), kept.study)
        write_results(results, target)
    return results


def _as_json(target: Target, sampling: Sampling, trial: FrozenTrial) -> dict[str, Any]:
    known = trial.user_attrs
    place = known[PLACE]
    states = {state: name for name, state in _STATES.items()}
    return {
        "trial": place,
        "state": "failed" if REASON in known else states[trial.state],
        "settings": sampling.settings(trial.params) if place else target.as_is | target.within,
        "value": trial.value if trial.state == TrialState.COMPLETE else known.get("value"),
        "epoch": known["epoch"],
        "epochs": known["epochs"],
        "seconds": round(known["seconds"], 1),
        "reason": known.get(REASON),
    }
