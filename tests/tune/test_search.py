"""A search: on validation alone, the same from the same seed, and never begun twice."""

from __future__ import annotations

import argparse
import logging
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from mmrec.cli import tune
from mmrec.io import DataError, read_json
from mmrec.params.file import load_params
from mmrec.params.search import SearchError
from mmrec.paths import Paths
from mmrec.run_paths import search_of, validation_of
from mmrec.tune.folder import SearchFolder, begin
from mmrec.tune.results import Results
from mmrec.tune.sampling import Sampling
from mmrec.tune.search import decisive, run_search
from mmrec.tune.target import open_target
from mmrec.tune.trial import PrunedError, make_trial
from tests.tune.conftest import copy_of
from tests.tune.worlds import write_search


def without_clock(results: Results) -> list[dict[str, Any]]:
    return [{**one, "seconds": None} for one in results.trials]


def folder_of(project: Path, kind: type[SearchFolder] = SearchFolder) -> SearchFolder:
    """That of `first`, as a process that works on it opens it."""
    target = open_target(write_search(project), project)
    folder = project / ".mmrec" / "searches" / "first"
    begin(folder, decisive(target), anew=False)
    sampling = Sampling(target.search, target.within)
    return kind(folder, sampling, sampling.num_trials)


def interrupt(folder: SearchFolder, *, place: int) -> None:
    with folder.claim() as claim:
        assert claim
        assert claim.place == place
        raise KeyboardInterrupt


def test_the_first_trial_is_the_run_as_it_is(searched: tuple[Path, Results]) -> None:
    project, results = searched
    assert [one["trial"] for one in results.trials] == [0, 1, 2, 3]
    before = results.before
    assert before
    assert before["value"] == read_json(validation_of(Paths(project).run("sasrec")))["ndcg@10"]
    assert before["settings"]["finetune.learning_rate"] == 1e-3
    best = max(one["value"] for one in results.trials)
    assert results.best
    assert results.best["value"] == best


def test_settings_are_of_the_space_and_short(searched: tuple[Path, Results]) -> None:
    for one in searched[1].trials[1:]:
        rate, layers, dropout = one["settings"].values()
        assert 1e-3 <= rate <= 1e-1
        assert float(f"{rate:.4g}") == rate
        assert layers in (1, 2, 3)
        assert dropout in (0.1, 0.2)


def test_nothing_of_the_project_changes_but_the_results(
    searched: tuple[Path, Results], shop: Path
) -> None:
    project, results = searched
    kept = search_of(Paths(project).run("sasrec"), "first")
    own = {kept, *(project / "searches").iterdir(), *(project / ".mmrec").rglob("*")}
    files = {path.relative_to(project): path for path in project.rglob("*") if path.is_file()}
    assert {path for path in files.values() if path not in own} == {
        project / path.relative_to(shop) for path in shop.rglob("*") if path.is_file()
    } - own
    for place, path in files.items():
        assert path in own or path.read_bytes() == (shop / place).read_bytes()
    assert read_json(kept)["trials"] == results.trials
    assert not [*(project / ".mmrec" / "searches" / "first" / "work").iterdir()]


def test_an_interrupted_search_goes_on_as_if_it_had_not_been(
    searched: tuple[Path, Results], project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_search(project, num_trials=2)
    run_search(path, project)
    with pytest.raises(KeyboardInterrupt):
        interrupt(folder_of(project), place=2)
    _, results = run_search(path, project)
    assert "trial 2 was interrupted; it is made again" in caplog.text
    assert without_clock(results) == without_clock(searched[1])


def test_several_processes_share_the_trials(project: Path) -> None:
    with folder_of(project).claim() as held:
        assert held
        assert held.place == 0
        _, results = run_search(write_search(project), project)
        assert [one["trial"] for one in results.trials] == [1, 2, 3]
        assert results.running == 1
        assert "1 more are being made by other processes" in results.text()
        with pytest.raises(SearchError, match="is being made by another process"):
            run_search(write_search(project), project, anew=True)


def test_a_failed_trial_killed_before_it_is_told_is_listed_once(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = {"finetune.learning_rate": [1e30]}
    path = write_search(project, sampler="grid", num_trials=None, space=space)
    tell = optuna.Study.tell

    def killed(study: optuna.Study, *args: Any, **how: Any) -> Any:
        if how.get("state") == TrialState.FAIL:
            raise KeyboardInterrupt
        return tell(study, *args, **how)

    with monkeypatch.context() as within:
        within.setattr(optuna.Study, "tell", killed)
        with pytest.raises(KeyboardInterrupt):
            run_search(path, project)
    _, results = run_search(path, project)
    assert [(one["trial"], one["state"]) for one in results.trials] == [
        (0, "complete"),
        (1, "failed"),
    ]
    assert "not finite" in results.trials[1]["reason"]


def test_a_trial_that_ends_while_another_process_looks_is_not_made_again(project: Path) -> None:
    ending = ExitStack()

    class Looking(SearchFolder):
        def trials(self) -> list[FrozenTrial]:
            found = super().trials()
            ending.close()
            return found

    ended, looking = folder_of(project), folder_of(project, Looking)
    claim = ending.enter_context(ended.claim())
    assert claim
    ending.callback(ended.study.tell, claim.trial, 0.1)
    with looking.claim() as other:
        assert other
        assert other.place == 1


def test_a_trial_that_diverges_or_is_refused_is_a_failed_one(project: Path) -> None:
    space = {
        "finetune.learning_rate": [1e-3, 1e30],
        "architecture.embedding_dim": [8, 9],
        "architecture.num_heads": [1, 2],
    }
    path = write_search(project, "all", sampler="grid", num_trials=None, space=space)
    _, results = run_search(path, project)
    assert len(results.trials) == 9
    for one in results.trials[1:]:
        rate, width, heads = one["settings"].values()
        if width == 9 and heads == 2:
            assert "embedding_dim (9) must be a multiple of num_heads (2)" in one["reason"]
        elif rate == 1e30:
            assert "not finite" in one["reason"]
        else:
            assert one["state"] == "complete"


def test_a_choice_may_be_a_section_and_is_known_where_it_is_what_the_run_has(
    project: Path,
) -> None:
    losses = [{"name": "sampled", "num_negatives": 4}, {"name": "full"}]
    space = {"finetune.loss": losses, "finetune.learning_rate": {"low": 0.1, "high": 0.2}}
    target = open_target(write_search(project, space=space), project)
    assert target.within == {"finetune.loss": {"name": "full"}}, "the rate is outside"
    finetune: Any = target.model_with({"finetune.loss": losses[0]}).finetune
    assert finetune.loss.num_negatives == 4


def test_trials_of_other_settings_are_put_aside_when_that_is_asked_for(
    searched: tuple[Path, Results], tmp_path: Path
) -> None:
    project = copy_of(searched[0], tmp_path)
    path = write_search(project, num_trials=2, seed=2)
    says = r"'first' was begun with other settings \(search changed since\)"
    with pytest.raises(SearchError, match=says):
        run_search(path, project)
    another_value(project, "mask_history: true", "mask_history: false")
    with pytest.raises(SearchError, match=r"\(search, validation changed since\)"):
        run_search(path, project)
    _, results = run_search(path, project, anew=True)
    assert len(results.trials) == 2
    folders = project / ".mmrec" / "searches"
    assert {path.name for path in folders.iterdir() if path.is_dir()} == {"first", "first.1"}
    assert (folders / "first.1" / "trials.db").is_file()


def another_value(project: Path, before: str, after: str) -> None:
    params = project / "params.yaml"
    text = params.read_text()
    assert before in text
    params.write_text(text.replace(before, after))
    load_params(params)


def test_a_pruned_trial_tells_its_best_epoch(project: Path) -> None:
    target = open_target(write_search(project), project)
    seen: list[float] = []

    def prune(epoch: int, value: float) -> None:
        seen.append(value)
        if epoch == 3:
            raise PrunedError

    settings = {"finetune.epochs": 9, "finetune.patience": 9, "finetune.metric": "ndcg@10"}
    outcome = make_trial(target, settings, project / "work", prune)
    assert (outcome.state, outcome.epochs, outcome.value) == ("pruned", 3, max(seen))


def test_all_that_is_wrong_is_said_before_anything_runs(project: Path) -> None:
    space = {
        "finetune.learning_rat": [0.1],
        "architecture.dropout": [0.1, 2.0],
        "finetune.batch_size": [1, 2],
        "finetune.loss.num_negatives": [3],
    }
    with pytest.raises(SearchError) as error:
        open_target(write_search(project, space=space), project)
    said = str(error.value).splitlines()
    assert "5 errors" in said[0]
    for line, start in zip(
        said[1:],
        (
            "  space.finetune.learning_rat: unknown key (did you mean learning_rate?)",
            "  space.architecture.dropout: found 2.0; Input should be less than 1",
            "  space.finetune.batch_size: with 1: batch_size (1 targets) cannot hold",
            "  space.finetune.batch_size: with 2: batch_size (2 targets) cannot hold",
            "  space.finetune.loss.num_negatives: with 3, finetune.loss.name: missing",
        ),
        strict=True,
    ):
        assert line.startswith(start)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"run": "sasrek"}, "run 'sasrek': did you mean 'sasrec'"),
        ({"run": "popularity"}, "run: 'popularity' is not trained; allowed: sasrec, untrained"),
        ({"objective": "recall@7"}, r"objective: found 'recall@7', allowed: recall@5, ndcg@5"),
    ],
)
def test_a_run_and_an_objective_are_those_there_are(
    changes: dict[str, Any], says: str, project: Path
) -> None:
    with pytest.raises(SearchError, match=says):
        open_target(write_search(project, **changes), project)
    with pytest.raises(SearchError, match="the file's name is that of the search, found 'a b'"):
        open_target(write_search(project, "a b", **changes), project)


def test_what_a_trial_reads_has_to_be_there(project: Path) -> None:
    Paths(project).dataset("shop").sequences.unlink()
    says = r"sequences\.parquet: not found; run `dvc repro finetune@sasrec`, which makes all"
    with pytest.raises(DataError, match=says):
        run_search(write_search(project), project)
    assert not (project / ".mmrec" / "searches").exists()


def test_trainings_are_heard_again_after_a_search(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Paths(project).dataset("shop").sequences.unlink()
    monkeypatch.chdir(project)
    monkeypatch.delenv("MMREC_LOG", raising=False)
    parser = argparse.ArgumentParser()
    tune.add_arguments(parser)
    trainings = logging.getLogger("mmrec.training")
    before = trainings.level
    with pytest.raises(DataError, match="sequences"):
        tune.run(parser.parse_args([str(write_search(project).relative_to(project))]))
    assert trainings.level == before


def test_optuna_is_asked_for_by_the_name_of_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ValueError, match=r"the extra `tune` is not installed .*'\.\[tune\]'"):
        tune.run(argparse.Namespace())
