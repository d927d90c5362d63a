"""`dvc.yaml` against the code: what a stage imports, reads and writes is what it declares."""

from __future__ import annotations

import re
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mmrec.params.ensemble import EnsemblePart
from mmrec.params.features import BAG_OF_WORDS, EmbedPairParams
from mmrec.params.file import load_params
from mmrec.params.ranked import SLOTS
from mmrec.paths import Paths
from mmrec.run_paths import validation_of
from mmrec.training.finished import RECORD, load_weights, save_note
from mmrec.training.history import write_history
from tests.stages.reads import declared

ROOT = Path(__file__).parents[1]
STAGES: dict[str, Any] = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]


def body(name: str) -> dict[str, Any]:
    return STAGES[name].get("do", STAGES[name])


def outs(name: str) -> set[str]:
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in body(name).get(kind, [])]
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


def script(name: str) -> str:
    return (ROOT / "stages" / f"{name}.py").read_text()


def test_every_stage_is_a_script_and_every_script_a_stage() -> None:
    scripts = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__"}
    assert scripts == set(STAGES)
    assert len(scripts) == 15


def test_a_stage_depends_on_its_own_file_of_code_and_on_no_code_itself() -> None:
    for name in STAGES.keys() - {"code"}:
        code = [dep for dep in body(name)["deps"] if dep.startswith("data/code")]
        assert len(code) == 1
        assert re.fullmatch(rf"data/code/{name}(/\$\{{(key|item\.model)\}})?\.txt", code[0])
        python = {dep for dep in body(name)["deps"] if dep.startswith(("mmrec", "stages"))}
        assert python <= {"mmrec/demo/clip"}, "weights that ship with the project"
    assert set(body("code")["deps"]) == {"mmrec", "stages"}


def test_code_looks_at_the_sections_that_have_entries_and_choices() -> None:
    entries = {stage["foreach"][2:-1] for stage in STAGES.values() if "foreach" in stage}
    slots = {path for stage in STAGES.values() for path in declared(stage) if "item." in path}
    assert set(body("code")["params"]) == {path.split(".")[0] for path in entries | slots}


def test_outputs_lie_where_paths_says() -> None:
    paths = Paths(Path())
    dataset, run = paths.dataset("${key}"), paths.run("${key}")
    assert outs("code") == {str(paths.code)}
    assert outs("crawl") == {str(dataset.raw)}
    assert outs("union") == {str(paths.union("${key}"))}
    written = {str(dataset.features(name)) for name in ("none", BAG_OF_WORDS)}
    assert outs("clean") == {str(dataset.clean), *written}
    assert outs("keywords") == {str(dataset.keywords.parent), str(dataset.keywords_stores)}
    feature = paths.dataset("${item.dataset}").features("${item.feature}")
    for stage in ("embed_text", "embed_image", "embed_pair"):
        assert outs(stage) == {str(feature), f"{feature}.json"}
    pretraining = paths.pretraining("${key}")
    assert outs("pretrain") == {str(pretraining.pretrained), str(pretraining.history)}
    compared = {str(run.finetune_history), str(validation_of(run))}
    assert outs("finetune") == {str(run.finetuned), *compared}
    assert outs("evaluate") == {str(run.evaluated), str(run.metrics)}
    assert outs("ensemble") == {str(paths.ensemble_weights("${key}").parent)}
    assert outs("evaluate_ensemble") == outs("evaluate")
    assert outs("recommend") == {str(paths.recommendations)}
    assert outs("report") == {str(paths.report)}


def test_every_file_a_stage_touches_is_declared() -> None:
    """With every slot filled in as for one dataset `X` and one run."""
    dataset = Paths(Path()).dataset("X")
    names = [name for name, value in vars(type(dataset)).items() if isinstance(value, property)]
    touched = 0
    for stage in STAGES:
        declared = set()
        for path in [*body(stage)["deps"], *outs(stage)]:
            for text in ("clean/sentences.parquet", "keywords/keywords.parquet"):
                filled = path.replace("${item.input}", text)
                declared.add(re.sub(r"\$\{[\w.]+\}", "X", filled))
        for name in names:
            if re.search(rf"\bdataset\.{name}\b", script(stage)):
                path = getattr(dataset, name)
                touched += 1
                assert declared & {str(path), *map(str, path.parents)}, f"{stage}: {path}"
    assert touched > 15


def test_slots_name_what_params_name() -> None:
    params = load_params(ROOT / "params.yaml")
    of_part = set(EnsemblePart.model_fields)
    entry_keys = {
        "pretrainings": set(type(next(iter(params.pretrainings.values()))).model_fields),
        "runs": set(type(next(iter(params.runs.values()))).model_fields),
        "embed.text": set(type(next(iter(params.embed.text.values()))).model_fields),
        "embed.image": set(type(next(iter(params.embed.image.values()))).model_fields),
        "embed.pair": set(EmbedPairParams.model_fields),
        "datasets": set(type(next(iter(params.datasets.values()))).model_fields),
        "unions": {"left", "right"},
        "ensembles": {"dataset", *(f"{slot}.{name}" for slot in SLOTS for name in of_part)},
    }
    for name, stage in STAGES.items():
        if "foreach" in stage:
            used = set(re.findall(r"\$\{item\.([\w.]+)\}", str(stage["do"])))
            assert used <= entry_keys[stage["foreach"][2:-1]], name


def test_what_a_run_starts_from_is_an_output_or_the_note_that_git_has() -> None:
    start = str(Paths(Path()).pretraining("${item.init_from}").pretrained)
    assert start in body("finetune")["deps"]
    # Where nothing is pre-trained, the report still finds the folder that it depends on.
    none = Paths(ROOT).pretraining("none")
    assert str(none.history.parent.relative_to(ROOT)) in body("report")["deps"]
    files = [none.pretrained / RECORD, none.history]
    committed = subprocess.run(
        ["git", "ls-files", *map(str, files)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert len(committed.stdout.splitlines()) == 2


def test_an_ensemble_of_two_runs_depends_on_the_note_that_git_has() -> None:
    """A part that there is not is the run `none`, trained to nothing."""
    depended_on = str(Paths(Path()).run("${item.third.run}").finetuned)
    for stage in ("ensemble", "evaluate_ensemble"):
        assert depended_on in body(stage)["deps"]
        of_features = [dep for dep in body(stage)["deps"] if "/features/" in dep]
        assert len({*of_features}) == 2 * len(SLOTS)
    note = Paths(ROOT).run("none").finetuned / RECORD
    listed = ["git", "ls-files", str(note)]
    committed = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(committed.stdout.splitlines()) == 1
    assert note.read_bytes() == (Paths(ROOT).pretraining("none").pretrained / RECORD).read_bytes()


def test_the_note_is_what_a_training_without_result_leaves(tmp_path: Path) -> None:
    made, none = Paths(tmp_path).pretraining("none"), Paths(ROOT).pretraining("none")
    save_note({}, made.pretrained)
    write_history([], made.history)
    assert [path.name for path in none.pretrained.iterdir()] == [RECORD]
    assert (none.pretrained / RECORD).read_bytes() == (made.pretrained / RECORD).read_bytes()
    assert none.history.read_bytes() == made.history.read_bytes()
    assert load_weights(none.pretrained) is None


def shared_otherwise(stages: dict[str, Any]) -> list[str]:
    """Outputs that do not come to another machine the way they should.

    What people compare is git's: metrics and plots, all of them small texts, none of them cached.
    Everything else is DVC's, and without options: uncached or not pushed, it would have to be made
    again everywhere; persisted, it would depend on what was there before; and of a stage with an
    uncached out that is no metric, DVC keeps no run record.
    """
    found = []
    for stage in stages.values():
        own = stage.get("do", stage)
        found += [str(out) for out in own.get("outs", []) if not isinstance(out, str)]
        for out in [*own.get("metrics", []), *own.get("plots", [])]:
            [(path, options)] = out.items() if isinstance(out, dict) else [(out, {})]
            is_gits = path.endswith((".json", ".csv")) and options.get("cache") is False
            if not is_gits or options.keys() - {"cache", "x", "y"}:
                found.append(str(out))
    return found


def test_what_people_compare_is_in_git_and_everything_else_in_the_cache() -> None:
    assert shared_otherwise(STAGES) == []


RAW, HISTORY = "data/datasets/${key}/raw", "data/runs/${key}/finetune_history.csv"


@pytest.mark.parametrize(
    ("stage", "kind", "out"),
    [
        ("crawl", "outs", {RAW: {"cache": False}}),
        ("crawl", "outs", {RAW: {"push": False}}),
        ("crawl", "outs", {RAW: {"persist": True}}),
        ("crawl", "metrics", {RAW: {"cache": False}}),
        ("finetune", "plots", HISTORY),
        ("finetune", "plots", {HISTORY: {"cache": True}}),
        ("finetune", "plots", {HISTORY: {"cache": False, "persist": True}}),
    ],
)
def test_an_output_that_would_be_shared_otherwise_is_found(stage: str, kind: str, out: Any) -> None:
    stages = deepcopy(STAGES)
    stages[stage]["do"][kind] = [out]
    assert shared_otherwise(stages) == [str(out)]


def test_another_protocol_of_the_evaluation_trains_nothing_and_makes_no_lists() -> None:
    for name in ("pretrain", "finetune"):
        assert not [path for path in body(name)["params"] if path.startswith("evaluate")]
    run = Paths(Path()).run("${recommend.run}")
    evaluated = {path for path in body("recommend")["deps"] if "/evaluated" in path}
    assert evaluated == {str(run.item_vectors), str(run.user_vectors)}
