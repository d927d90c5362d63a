"""A world with a known answer: even users like even items, odd users like odd ones."""

import pytest
import torch

from mmrec.features.table import FeatureTable
from tests.models import cases, worlds
from tests.models.cases import CASES

NUM_WARM, NUM_COLD = 16, 8  # items 1..16 are in the sequences, 17..24 are not
ITEMS = torch.arange(1, NUM_WARM + NUM_COLD + 1)
WARM = ITEMS[:NUM_WARM]


def users(num_users, seed):
    """Each user's eight warm items in random order, [users, 8]."""
    generator = torch.Generator().manual_seed(seed)
    liked = [WARM[(WARM + user) % 2 == 0] for user in range(num_users)]
    return torch.stack([items[torch.randperm(8, generator=generator)] for items in liked])


def feature_table(seed):
    """One noisy vector per item that tells odd from even."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(ITEMS), 8, generator=generator) * 0.3
    direction = torch.randn(8, generator=generator)
    vectors = noise + torch.where(ITEMS % 2 == 0, 1.0, -1.0).unsqueeze(1) * direction
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), torch.arange(len(ITEMS) + 1)])
    return FeatureTable(vectors, offsets)


def build(name, stage, *, shuffled=False, **changes):
    params = worlds.params(name, **changes)
    text, image = feature_table(1), feature_table(2)
    if shuffled:
        text, image = worlds.shuffled(text, seed=0), worlds.shuffled(image, seed=0)
    num_items = len(ITEMS) + 1
    world = worlds.data(text, image, num_items, torch.zeros(num_items))
    return worlds.objective(params, worlds.recommender(params, stage, world), stage, world)


def train(name, objective, sequences, steps):
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.015)
    batch = worlds.batch(name, sequences, len(ITEMS) + 1)
    objective.train()
    for _ in range(steps):
        optimizer.zero_grad()
        sum(objective(batch).values()).backward()
        optimizer.step()
    return objective.recommender


def unseen_scores(model, history):
    """Scores with each user's own history at minus infinity."""
    return worlds.scores(model, history).scatter(1, history, -torch.inf)


def recall_of_the_withheld_item(model, sequences):
    """Share of users whose last item scores highest among all warm items they have not seen."""
    scores = unseen_scores(model, sequences[:, :-1])[:, : NUM_WARM + 1]
    return (scores.argmax(dim=1) == sequences[:, -1]).float().mean().item()


def recall_of_cold_items(model, sequences):
    """Share of the right kind among the four best items, all right warm items being seen."""
    best = unseen_scores(model, sequences).topk(NUM_COLD // 2).indices
    return (best % 2 == sequences[:, :1] % 2).float().mean().item()


@pytest.mark.parametrize("name", [name for name, _ in cases.SUPERVISED])
def test_the_checkerboard_is_learned(name):
    objective = build(name, "finetune", architecture=CASES[name].learning)
    model = train(name, objective, users(40, seed=0), steps=40)
    assert recall_of_the_withheld_item(model, users(40, seed=1)) == 1


@pytest.mark.parametrize("name", [name for name, _ in cases.SUPERVISED])
def test_it_is_learned_from_what_other_rows_of_the_batch_have(name):
    loss = {"loss": {"name": "in_batch_sequences"}}
    objective = build(name, "finetune", architecture=CASES[name].learning, finetune=loss)
    model = train(name, objective, users(40, seed=0), steps=40)
    assert recall_of_the_withheld_item(model, users(40, seed=1)) == 1


BY_CONTENT = [
    (name, stage, settings)
    for name, case in CASES.items()
    for stage, settings in case.content_learns.items()
]


@pytest.mark.parametrize(("name", "stage", "settings"), BY_CONTENT)
def test_features_alone_place_items_that_nobody_has_seen(name, stage, settings):
    changes = {"architecture": CASES[name].learning, stage: settings}
    model = train(name, build(name, stage, **changes), users(40, seed=0), steps=40)
    assert recall_of_cold_items(model, users(40, seed=1)) == 1


@pytest.mark.parametrize(
    ("name", "stage", "settings"), [case for case in BY_CONTENT if case[1] == "finetune"]
)
def test_shuffled_features_do_not(name, stage, settings):
    changes = {"architecture": CASES[name].learning, stage: settings}
    objective = build(name, stage, shuffled=True, **changes)
    model = train(name, objective, users(40, seed=0), steps=40)
    assert recall_of_cold_items(model, users(40, seed=1)) < 0.8
