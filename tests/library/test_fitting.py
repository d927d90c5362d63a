"""A run that a program trains: that of the pipeline, and refused where the pipeline would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmrec import Filters, fit, open_run
from mmrec.io import read_json
from mmrec.library.run import Run
from mmrec.params.file import ParamsError, load_params
from mmrec.paths import Paths
from mmrec.run_paths import validation_of
from tests.library.worlds import item

SEEN = [[item(3), item(7)], [item(0)]]


def files_of(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def settings_of(shop: Path, name: str) -> dict[str, Any]:
    """An entry of `models`, as a program would write it."""
    found: dict[str, Any] = load_params(shop / "params.yaml").models[name].model_dump(mode="json")
    return found


def test_it_is_the_run_of_the_pipeline(shop: Path, runs: dict[str, Run], tmp_path: Path) -> None:
    seed = load_params(shop / "params.yaml").runs["sasrec"].seed
    before = files_of(shop)
    fitted = fit("shop", "sasrec", seed=seed, folder=tmp_path / "mine", project=shop)
    assert files_of(shop) == before
    expected = runs["sasrec"]
    for run in (fitted, open_run(tmp_path / "mine")):
        assert run.recommend(SEEN).equals(expected.recommend(SEEN))
        assert run.similar(SEEN[0]).equals(expected.similar(SEEN[0]))
    assert fitted.histories_of(["u3"]) == expected.histories_of(["u3"])
    lamps = Filters(category="lamp")
    assert fitted.recommend(SEEN, filters=lamps).equals(expected.recommend(SEEN, filters=lamps))
    assert fitted.record["trained"] is True
    assert fitted.history["epoch"].to_list() == [*range(1, fitted.history.height + 1)]
    assert fitted.history.height == fitted.record["epochs"]
    kept = fitted.history.row(fitted.record["kept_epoch"] - 1, named=True)
    validated = read_json(validation_of(Paths(shop).run("sasrec")))
    assert "ndcg@10" in validated
    assert validated.items() <= kept.items()


def test_settings_may_be_given_in_place_of_a_name(shop: Path, runs: dict[str, Run]) -> None:
    settings = settings_of(shop, "sasrec")
    seed = load_params(shop / "params.yaml").runs["sasrec"].seed
    same = fit("shop", settings, seed=seed, project=shop)
    assert same.recommend(SEEN).equals(runs["sasrec"].recommend(SEEN))
    other = fit("shop", settings, seed=seed + 1, project=shop)
    assert not other.item_vectors().equals(same.item_vectors())


@pytest.mark.parametrize(("name", "text"), [("itemknn", "none"), ("tfidf", "bag_of_words")])
def test_models_that_are_not_trained_are_built(
    name: str, text: str, shop: Path, runs: dict[str, Run]
) -> None:
    fitted = fit("shop", name, text=text, project=shop)
    assert fitted.recommend(SEEN).equals(runs[name].recommend(SEEN))
    assert fitted.record["trained"] is False
    assert fitted.history.is_empty()


def test_what_is_wrong_is_said_before_anything_is_trained(shop: Path, tmp_path: Path) -> None:
    wrong = settings_of(shop, "sasrec")
    wrong["finetune"]["epochs"] = -1
    with pytest.raises(ParamsError, match=r"models\.fitted\.finetune\.epochs: found -1"):
        fit("shop", wrong, project=shop)
    with pytest.raises(ParamsError, match=r"runs\.fitted\.model: found 'sasrek', allowed: item"):
        fit("shop", "sasrek", project=shop)
    with pytest.raises(ParamsError, match=r"runs\.fitted\.text: "):
        fit("shop", "tfidf", text="nothing", project=shop)
    with pytest.raises(ValueError, match="dataset 'shp': did you mean 'shop'"):
        fit("shp", "sasrec", project=shop)
    with pytest.raises(ValueError, match="name: 'two' is in `ensembles` of the project; give"):
        fit("shop", "sasrec", name="two", project=shop)
    with pytest.raises(ValueError, match="is there already; name a new folder"):
        fit("shop", "sasrec", folder=tmp_path, project=shop)
    with pytest.raises(ValueError, match=r"its model \(itemknn\) is counted anew"):
        fit("shop", "itemknn", folder=tmp_path / "new", project=shop)
    with pytest.raises(ParamsError, match=r"runs\.fitted\.init_from: found 'mine'"):
        fit("shop", "sasrec", init_from="mine", project=shop)
