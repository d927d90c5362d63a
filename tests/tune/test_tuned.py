"""The best settings in `params.yaml`: two entries more, and not another byte changed."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from difflib import ndiff
from pathlib import Path

import pytest

from mmrec.cli import tune
from mmrec.params.file import load_params
from mmrec.params.search import SearchError
from mmrec.tune.results import Results
from mmrec.tune.target import Target, open_target
from mmrec.tune.tuned import tuned_entries, write_tuned
from tests.tune.worlds import write_search

ROOT = Path(__file__).parents[2]
SPACE = {"finetune.learning_rate": [1e-3, 2e-3], "architecture.dropout": [0.1, 0.2]}
BEST = {"finetune.learning_rate": 1e-3, "architecture.dropout": 0.1}


def results(best: int) -> Results:
    values = {0: 0.1, best: 0.2}
    trials = [
        {"trial": place, "state": "complete", "value": value, "settings": BEST if place else {}}
        for place, value in values.items()
    ]
    return Results("first", "demo-sasrec", "ndcg@10", 2, trials, {}, 0)


def target_of(project: Path, text: str) -> Target:
    (project / "params.yaml").write_bytes(text.encode())
    return open_target(write_search(project, run="demo-sasrec", space=SPACE), project)


def shipped() -> str:
    return (ROOT / "params.yaml").read_text()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_all_other_lines_stay_as_they_are(newline: str, tmp_path: Path) -> None:
    target = target_of(tmp_path, shipped().replace("\n", newline))
    tuned = tuned_entries(target, results(1), None)
    assert tuned
    write_tuned(tuned, target)
    lines = (tmp_path / "params.yaml").read_bytes().decode().split(newline)
    changes = [line for line in ndiff(shipped().split("\n"), lines) if line[0] in "+-"]
    assert changes == [
        "+   demo-sasrec-tuned:",
        "+     name: sasrec",
        "+     architecture:",
        "+       dropout: 0.1",
        "+     pretrain: null",
        "+     finetune:",
        "+       batch_size: 512",
        "+       learning_rate: 0.001",
        "+       epochs: 60",
        "+       patience: 5",
        "+   demo-sasrec-tuned: {dataset: demo, model: demo-sasrec-tuned, text: none, image: none, "
        "init_from: none, seed: 2020}",
    ]
    params = load_params(tmp_path / "params.yaml")
    found = params.models[params.runs["demo-sasrec-tuned"].model]
    assert found == target.model_with(BEST)
    again = open_target(tmp_path / "searches" / "first.yaml", tmp_path)
    with pytest.raises(SearchError, match="'demo-sasrec-tuned' is in `models`; give another"):
        write_tuned(tuned, again)
    with pytest.raises(SearchError, match="--write: found 'a b', expected a name of letters"):
        write_tuned(replace(tuned, name="a b"), again)


def test_the_last_entry_of_a_file_without_a_last_line_break_is_added_behind(tmp_path: Path) -> None:
    alone = re.sub(r"\nensembles:\n(  .*\n)+", "\nensembles: {}\n", shipped())
    head, _, rest = alone.partition("\nruns:")
    runs, _, others = rest.partition("\nensembles:")
    others = others.partition("\n\n")[2]
    text = f"{head}\nensembles: {{}}\n{others}\nruns:{runs}".rstrip()
    text = "\n".join(line for line in text.splitlines() if "mp4sr-id: {dataset" not in line)
    target = target_of(tmp_path, text.replace("maps: [demo-sasrec, demo-mp4sr]", "maps: []"))
    tuned = tuned_entries(target, results(1), "mine")
    assert tuned
    write_tuned(tuned, target)
    assert "mine" in load_params(tmp_path / "params.yaml").runs


def test_a_file_of_another_form_is_left_alone_and_the_entries_are_shown(tmp_path: Path) -> None:
    first, _, rest = shipped().partition("\nruns:\n")
    runs, _, last = rest.partition("\nensembles:")
    flow = ", ".join(runs.split("\n")[:-1])
    target = target_of(tmp_path, f"{first}\nruns: {{{flow}}}\nensembles:{last}")
    tuned = tuned_entries(target, results(1), None)
    assert tuned
    before = (tmp_path / "params.yaml").read_bytes()
    with pytest.raises(SearchError, match="add this by hand:\n\nmodels:\n  demo-sasrec-tuned:"):
        write_tuned(tuned, target)
    assert (tmp_path / "params.yaml").read_bytes() == before


def test_a_file_that_changed_during_the_search_says_what_it_lacks(tmp_path: Path) -> None:
    target = target_of(tmp_path, shipped())
    tuned = tuned_entries(target, results(1), None)
    assert tuned
    path = tmp_path / "params.yaml"
    for other, message in (
        ("demo-other", "`runs` no longer has 'demo-sasrec', .*add them by hand"),
        ("demo-sasrec-tuned", "'demo-sasrec-tuned' is in `runs`"),
    ):
        text = shipped().replace("demo-sasrec", other)
        path.write_text(text)
        with pytest.raises(SearchError, match=message):
            write_tuned(tuned, target)
        assert path.read_text() == text


@pytest.mark.parametrize("name", ["a/b", "demo-mp4sr"])
def test_a_name_that_cannot_be_written_is_said_before_the_search(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target_of(tmp_path, shipped())
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    tune.add_arguments(parser)
    with pytest.raises(SearchError, match=f"'{name}'.*(expected a name|give another)"):
        tune.run(parser.parse_args(["searches/first.yaml", "--write", name]))
    assert not (tmp_path / ".mmrec").exists()


def test_settings_as_they_are_need_no_entry(tmp_path: Path) -> None:
    assert tuned_entries(target_of(tmp_path, shipped()), results(0), None) is None


def test_the_shipped_searches_are_valid() -> None:
    found = [open_target(path, ROOT) for path in sorted((ROOT / "searches").glob("*.yaml"))]
    assert [target.name for target in found] == ["mp4sr", "sasrec"]
    for target in found:
        assert target.within.keys() == target.search.space.keys()
