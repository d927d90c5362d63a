"""Item-kNN and the counter of transitions, against loops over dense matrices."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import sparse

from mmrec.data.split import training_part
from mmrec.models.itemknn import model as itemknn
from mmrec.params.models.itemknn import ItemKnnArchitecture
from tests.models import worlds

NUM_ITEMS = 13
UNKNOWN = 12  # nobody trains on it
HISTORIES = torch.tensor(
    [[1, 2, 3, 2], [4, 0, 0, 0], [7, 9, 0, 0], [0, 0, 0, 0], [UNKNOWN, 0, 0, 0]]
)


def lists(num_users=40, seed=0):
    """Sequences with repeated items, without the unknown one; some too short to hold out from."""
    random = np.random.default_rng(seed)
    return [random.integers(1, UNKNOWN, size).tolist() for size in random.integers(1, 9, num_users)]


def trained_part(user):
    return user[:-2] if len(user) >= 3 else user


def similarities(users, num_neighbours, shrink):
    """Similarity of item i to candidate j, the k most similar of each candidate."""
    sets = [set(trained_part(user)) for user in users]
    owners = [{number for number, own in enumerate(sets) if item in own} for item in range(13)]
    found = np.zeros((13, 13))
    for j in range(13):
        column = np.zeros(13)
        for i in range(13):
            if i != j and owners[i] & owners[j]:
                norms = np.sqrt(len(owners[i]) * len(owners[j]))
                column[i] = len(owners[i] & owners[j]) / (norms + shrink + 1e-6)
        kept = sorted(range(13), key=lambda i: (-column[i], i))[:num_neighbours]
        found[kept, j] = column[kept]
    return found


def build(name, users, **architecture):
    params = worlds.params(name, architecture=architecture)
    return worlds.recommender(params, world=worlds.data(histories=users))


@pytest.mark.parametrize(("num_neighbours", "shrink"), [(100, 0.0), (3, 0.0), (2, 5.0), (1, 0.5)])
@pytest.mark.parametrize("max_pairs", [1, 60, 1 << 24])
def test_item_knn_is_the_sum_over_the_nearest_neighbours_of_each_candidate(
    num_neighbours, shrink, max_pairs, monkeypatch
):
    monkeypatch.setattr(itemknn, "MAX_PAIRS", max_pairs)
    model = build("itemknn", lists(), num_neighbours=num_neighbours, shrink=shrink)
    weights = similarities(lists(), num_neighbours, shrink)
    expected = [sum(weights[item] for item in {*row.tolist()}) for row in HISTORIES]
    found = worlds.scores(model, HISTORIES)[:, 1:]
    torch.testing.assert_close(found, torch.tensor(np.array(expected))[:, 1:].float())
    assert (found[0] > 0).any()


def test_a_candidate_keeps_its_neighbours_and_not_an_item_those_it_is_near_to():
    # 1 is the only neighbour of 2, 3 and 4, which are alike to it: it is in all their lists.
    users = [[1, 2, 9, 9], [1, 3, 9, 9], [1, 4, 9, 9]]
    found = worlds.scores(build("itemknn", users, num_neighbours=1), torch.tensor([[1]]))[0]
    assert (found[2:5] > 0).all()


def test_of_equally_similar_neighbours_the_smaller_index_is_kept():
    users = [[5, 2, 9, 9], [5, 8, 9, 9]]
    model = build("itemknn", users, num_neighbours=1)
    assert worlds.scores(model, torch.tensor([[2], [8]]))[:, 5].tolist() == [
        pytest.approx(2**-0.5, abs=1e-5),
        0,
    ]


def test_equal_sums_tie_whatever_their_order():
    random = np.random.default_rng(1)
    weights = np.zeros((40, 40))
    weights[1:20, 20] = random.random(19)
    weights[1:20, 21] = weights[19:0:-1, 20]
    model = itemknn.ItemKnn(sparse.csr_array(weights), max_sequence_length=50)
    found = worlds.scores(model, torch.arange(1, 20).unsqueeze(0))[0]
    assert found[20] == found[21] > 0


def test_item_knn_reads_histories_whole_whatever_their_length():
    users = [[1, 2, *([3] * 30), 4, 4], [1, 4, 9, 9]]
    model = build("itemknn", users)
    assert model.max_sequence_length == len(users[0])
    assert worlds.scores(model, torch.tensor([[1, *([3] * 30)]]))[0, 4] > 0


def test_the_defaults_are_those_of_recbole():
    assert ItemKnnArchitecture() == ItemKnnArchitecture(num_neighbours=100, shrink=0.0)


def test_transitions_are_how_often_an_item_came_directly_after_the_last():
    users = lists()
    expected = np.zeros((13, 13))
    for user in map(trained_part, users):
        for before, after in pairwise(user):
            expected[before, after] += 1
    found = worlds.scores(build("transitions", users), HISTORIES)[:, 1:]
    assert found.tolist() == expected[[2, 4, 9, 0, UNKNOWN], 1:].tolist()
    assert found.max() > 1


def test_no_transition_leads_from_one_user_to_the_next():
    users = [[1, 2], [], [3, 4]]
    found = worlds.scores(build("transitions", users), torch.tensor([[1], [2], [3], [4]]))
    assert found[:, 1:].nonzero().tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize("name", ["itemknn", "transitions"])
def test_nobody_and_nothing_to_count_are_scores_of_zero(name):
    for users in ([], [[]], [[], [5]]):
        assert (worlds.scores(build(name, users), HISTORIES)[:, 1:] == 0).all()


@pytest.mark.parametrize("name", ["itemknn", "transitions"])
def test_held_out_items_are_not_counted(name):
    users = [[1, 2, 3, 4], [1, 2, 3, 4]]
    assert training_part(worlds.data(histories=users).sequences).items.tolist() == [1, 2, 1, 2]
    found = worlds.scores(build(name, users), torch.tensor([[1], [2], [3]]))[:, 3:]
    assert (found == 0).all()


@pytest.mark.parametrize("name", ["itemknn", "transitions"])
def test_a_large_catalogue_is_never_a_square_matrix(name, monkeypatch):
    monkeypatch.setattr(itemknn, "MAX_PAIRS", 1 << 16)
    num_items = 200_000  # squared: 320 GB
    random = np.random.default_rng(0)
    users = random.integers(1, num_items, (2000, 12)).tolist()
    params = worlds.params(name, architecture={})
    tables = {"text": worlds.no_table(), "image": worlds.no_table()}
    world = worlds.data(**tables, num_items=num_items, histories=users)
    model = worlds.recommender(params, world=world)
    assert model.weights.nnz < 2000 * 12 * 12
    assert worlds.scores(model, torch.tensor([users[0][:9]]))[0, 1:].max() > 0
