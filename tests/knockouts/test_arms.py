"""A run in, the trainings that say what its content is worth out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from mmrec.knockouts.arms import knockout_study
from mmrec.params.file import load_params
from mmrec.params.ids_alone import ids_alone
from mmrec.params.models.registry import ModelParams
from mmrec.params.pipeline import Params
from mmrec.params.references import wrong_references
from mmrec.params.study import StudyError
from mmrec.params.yaml_file import read_yaml
from mmrec.study.expansion import expand
from mmrec.study.workspace import PROJECT

PARAMS = load_params(PROJECT / "params.yaml")


def expanded(run: str, **seeds: list[int]) -> Params:
    study = knockout_study(PARAMS, run, seeds.get("seeds", [2020]), "recall@10")
    params = Params.model_validate(expand(study, PROJECT).params)
    assert list(wrong_references(params)) == []
    return params


def test_every_feature_is_knocked_out_alone_and_together_in_the_pre_training_as_well() -> None:
    params = expanded("demo-mp4sr")
    features = ("sentences", "keyword_sentences")
    for kind in ("shuffled", "constant", "noise"):
        text, image = (f"{name}-{kind}" for name in features)
        for row, slots in {
            f"text-and-image-{kind}": (text, image),
            f"text-{kind}": (text, features[1]),
            f"image-{kind}": (features[0], image),
        }.items():
            run, start = params.runs[f"{row}-2020"], params.pretrainings[f"{row}-2020"]
            assert (run.text, run.image) == (start.text, start.image) == slots
            assert run.init_from == f"{row}-2020"
            knocked = {
                entry.feature: entry.knockout.name
                for entry in params.embed.text.values()
                if entry.knockout
            }
            assert knocked[text] == knocked[image] == kind
    assert len(params.runs) == 12
    (together,) = params.ensembles.values()
    assert [part.run for part in together.parts] == ["demo-mp4sr-2020", "IDs-alone-2020"]
    assert together.metric == "recall@10"


@pytest.mark.parametrize("name", ["demo-mp4sr", "demo-mp4sr-id"])
def test_trainings_are_those_of_the_run_to_the_last_setting(name: str) -> None:
    params, run = expanded(name), PARAMS.runs[name]
    own, start = PARAMS.models[run.model], PARAMS.models["mp4sr"]
    trained = {run.model for key, run in params.runs.items() if key.startswith(("demo", "text"))}
    assert len(trained) == 7
    for key in trained:
        model = params.models[key]
        assert model.described("finetune") == own.described("finetune")
        assert model.described("pretrain") == start.described("pretrain"), "of the pre-training"


def test_every_row_has_every_seed() -> None:
    params = expanded("demo-mp4sr", seeds=[1, 5])
    assert {run.seed for run in params.runs.values()} == {1, 5}
    assert len(params.runs) == 24


def test_ids_alone_of_every_trained_model_are_a_model_that_reads_nothing() -> None:
    tried = set()
    for kind in get_args(get_args(ModelParams)[0]):
        name = get_args(kind.model_fields["name"].annotation)[0]
        written: dict[str, Any] = {"name": name, "architecture": {}, "pretrain": None}
        if kind.model_fields["finetune"].annotation in (None, type(None)):
            continue  # it is not trained
        model = kind.model_validate({**written, "finetune": {"epochs": 7, "learning_rate": 0.004}})
        found = _validated(ids_alone(model))
        assert found.modalities("finetune") == ()
        assert found.finetune.epochs == 7
        assert found.finetune.learning_rate == 0.004
        assert found.architecture.embedding_dim == model.architecture.embedding_dim
        length = model.architecture.max_sequence_length
        assert found.architecture.max_sequence_length == length
        tried.add((name, found.name))
    assert ("mmsr", "mmsr") in tried
    assert ("pmmrec", "sasrec") in tried
    assert len(tried) >= 11


def _validated(entry: dict[str, Any]) -> Any:
    written = read_yaml(PROJECT / "params.yaml")
    written["models"]["tried"] = entry
    return Params.model_validate(written).models["tried"]


@pytest.mark.parametrize(
    ("run", "seeds", "says"),
    [
        ("nobody", [1], "run 'nobody': there is demo-popularity, "),
        ("demo-sasrec", [1], "reads no features, so there is nothing to knock out; runs that do: "),
        ("demo-mp4sr", [1, 1], r"--seeds: found \[1, 1\]"),
        ("demo-mp4sr", [-1], r"--seeds: found \[-1\]"),
    ],
)
def test_what_cannot_be_knocked_out_is_said(run: str, seeds: list[int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        knockout_study(PARAMS, run, seeds, "recall@10")


def with_change(tmp_path: Path, before: str, after: str) -> Params:
    text = (PROJECT / "params.yaml").read_text()
    assert before in text
    (tmp_path / "params.yaml").write_text(text.replace(before, after))
    return load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (
            "image: keyword_sentences, seed",
            "image: clip_image, seed",
            "reads image 'clip_image', the run 'keyword_sentences'",
        ),
        (
            "input: clean/sentences.parquet\n",
            "input: clean/sentences.parquet\n      knockout: {name: constant}\n",
            "its text feature 'sentences' is knocked out itself",
        ),
    ],
)
def test_what_a_row_cannot_have_is_refused(
    before: str, after: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match=says):
        knockout_study(with_change(tmp_path, before, after), "demo-mp4sr", [1], "recall@10")
