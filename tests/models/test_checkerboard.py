"""A world with a known answer: even users like even items, odd users like odd ones."""

import pytest
import torch

from mmrec.features.table import FeatureTable
from mmrec.models.build import build_objective, build_recommender
from mmrec.nn.scoring import score
from tests.models import worlds

NUM_WARM, NUM_COLD = 16, 8  # items 1..16 are in the sequences, 17..24 are not
ITEMS = torch.arange(1, NUM_WARM + NUM_COLD + 1)
WARM = ITEMS[:NUM_WARM]
SMALL = {
    "embedding_dim": 16,
    "num_layers": 1,
    "num_heads": 1,
    "feedforward_dim": 32,
    "dropout": 0.1,
    "attention_dropout": 0.1,
}


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
        text, image = text.shuffled(seed=0), image.shuffled(seed=0)
    recommender = build_recommender(
        params,
        num_items=len(ITEMS) + 1,
        text=text,
        image=image,
        training_counts=torch.zeros(len(ITEMS) + 1),
        stage=stage,
    )
    return build_objective(
        params, recommender, training_counts=torch.zeros(len(ITEMS) + 1), stage=stage
    )


def train(objective, sequences, steps):
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.01)
    batch = worlds.dense_batch(sequences)
    objective.train()
    for _ in range(steps):
        optimizer.zero_grad()
        sum(objective(batch).values()).backward()
        optimizer.step()
    return objective.recommender


def unseen_scores(model, history):
    """Scores with each user's own history at minus infinity."""
    scores = score(model.encode(history), model.item_table())
    return scores.scatter(1, history, -torch.inf)


def recall_of_the_withheld_item(model, sequences):
    """Share of users whose last item scores highest among all warm items they have not seen."""
    scores = unseen_scores(model, sequences[:, :-1])[:, : NUM_WARM + 1]
    return (scores.argmax(dim=1) == sequences[:, -1]).float().mean().item()


def recall_of_cold_items(model, sequences):
    """Share of the right kind among the four best items, all right warm items being seen."""
    best = unseen_scores(model, sequences).topk(NUM_COLD // 2).indices
    return (best % 2 == sequences[:, :1] % 2).float().mean().item()


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("sasrec", SMALL),
        ("mp4sr", SMALL),
        ("gru4rec", {"embedding_dim": 16, "hidden_dim": 16, "dropout": 0.1}),
    ],
)
def test_the_checkerboard_is_learned(name, architecture):
    torch.manual_seed(0)
    objective = build(name, "finetune", architecture=architecture)
    model = train(objective, users(40, seed=0), steps=60)
    assert recall_of_the_withheld_item(model, users(40, seed=1)) == 1


def test_features_alone_place_items_that_nobody_has_seen():
    torch.manual_seed(0)
    objective = build("mp4sr", "finetune", architecture=SMALL, finetune={"use_id": False})
    model = train(objective, users(40, seed=0), steps=60)
    assert recall_of_cold_items(model, users(40, seed=1)) == 1


def test_pre_training_alone_places_items_that_nobody_has_seen():
    torch.manual_seed(0)
    model = train(build("mp4sr", "pretrain", architecture=SMALL), users(40, seed=0), steps=60)
    assert recall_of_cold_items(model, users(40, seed=1)) == 1


def test_shuffled_features_do_not():
    torch.manual_seed(0)
    objective = build(
        "mp4sr", "finetune", shuffled=True, architecture=SMALL, finetune={"use_id": False}
    )
    model = train(objective, users(40, seed=0), steps=60)
    assert recall_of_cold_items(model, users(40, seed=1)) < 0.8
