import pytest
import torch

from mmrec.code.closure import PROJECT
from mmrec.models.masked_item import MaskedItemObjective
from mmrec.models.mp4sr.pretraining import JointObjective, PretrainObjective
from mmrec.models.next_item import NextItemObjective
from mmrec.models.pmmrec.pretraining import PmmrecObjective
from mmrec.models.registry import TrainedSystem, system_of
from tests.models import cases, worlds
from tests.stages.calls import importing


def build(name, stage="finetune", text=None, image=None, num_items=worlds.NUM_ITEMS, **changes):
    world = worlds.data(text, image, num_items)
    return worlds.recommender(worlds.params(name, **changes), stage, world)


@pytest.mark.parametrize(
    ("name", "stage", "changes", "kind"),
    [
        ("mp4sr", "pretrain", {}, PretrainObjective),
        ("mp4sr", "finetune", {}, NextItemObjective),
        ("mp4sr", "finetune", {"finetune": {"joint": {}}}, JointObjective),
        ("pmmrec", "pretrain", {}, PmmrecObjective),
        ("pmmrec", "finetune", {}, NextItemObjective),
        ("pmmrec", "finetune", {"finetune": {"joint": {}}}, PmmrecObjective),
        ("sasrec", "finetune", {}, NextItemObjective),
        ("gru4rec", "finetune", {}, NextItemObjective),
        ("nextitnet", "finetune", {}, NextItemObjective),
        ("bert4rec", "finetune", {}, MaskedItemObjective),
    ],
)
def test_every_stage_gets_its_objective(name, stage, changes, kind):
    model = build(name, stage, **changes)
    objective = worlds.objective(worlds.params(name, **changes), model, stage)
    assert isinstance(objective, kind)


@pytest.mark.parametrize("name", cases.CASES)
def test_a_model_that_has_a_training_is_built_with_one_and_no_other(name):
    params = worlds.params(name)
    trains = any(params.training(stage) for stage in ("pretrain", "finetune"))
    assert isinstance(system_of(params), TrainedSystem) == trains


@pytest.mark.parametrize("absent", ["text", "image"])
@pytest.mark.parametrize(("stage", "finetune"), [("pretrain", {}), ("finetune", {"joint": {}})])
def test_pre_training_losses_need_both_modalities(stage, finetune, absent):
    with pytest.raises(
        ValueError, match=f"need text and image features, the run has {absent}: none"
    ):
        build("mp4sr", stage, **{absent: worlds.no_table()}, finetune=finetune)


@pytest.mark.parametrize(
    ("absent", "branches", "advice"),
    [
        ("image", "both", "set finetune.score_branches: text"),
        ("image", "image", "set finetune.score_branches: text"),
        ("text", "both", "set finetune.score_branches: image"),
    ],
)
def test_scored_branches_need_their_features(absent, branches, advice):
    with pytest.raises(ValueError, match=f"the run has {absent}: none; {advice}"):
        build("mp4sr", **{absent: worlds.no_table()}, finetune={"score_branches": branches})


@pytest.mark.parametrize(
    ("stage", "finetune", "refused"),
    [
        ("pretrain", {"modality": "text"}, True),
        ("finetune", {}, True),
        ("finetune", {"modality": "text"}, False),
    ],
)
def test_pmmrec_needs_what_it_reads(stage, finetune, refused):
    changes = {"image": worlds.no_table(), "finetune": finetune}
    if refused:
        with pytest.raises(ValueError, match="pmmrec reads image features, the run has image: no"):
            build("pmmrec", stage, **changes)
    else:
        build("pmmrec", stage, **changes)


def test_mp4sr_without_any_feature_is_refused():
    with pytest.raises(ValueError, match="name a text or image feature"):
        build("mp4sr", text=worlds.no_table(), image=worlds.no_table())


def test_features_of_another_catalogue_are_refused():
    with pytest.raises(ValueError, match="text features are of 13 items, the catalogue has 20"):
        build("mp4sr", num_items=20)


def test_a_model_that_reads_no_features_needs_none():
    for name in cases.CASES:
        if not worlds.params(name).modalities("finetune"):
            model = build(name, text=worlds.no_table(), image=worlds.no_table())
            assert worlds.scores(model, torch.tensor([[1, 2]])).shape == (1, worlds.NUM_ITEMS)


def test_importing_the_registry_loads_no_model():
    registry = frozenset({"mmrec.models.registry"})
    found = importing(PROJECT.root, {registry})[registry]
    kinds = tuple(f"mmrec.models.{name}" for name in cases.CASES)
    assert registry < found
    assert not [name for name in found if name.startswith(kinds)]
