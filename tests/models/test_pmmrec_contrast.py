"""Text against picture: whom an item is set against, and what is right for it."""

import numpy as np
import pytest
import torch

from mmrec.models.pmmrec.contrast import modality_contrast
from tests import reference_pmmrec
from tests.models import worlds
from tests.reference_mmsrec import numerical_gradient

# Items are repeated in a row, one after another too, and between rows; one row trains nothing.
WHOLE = torch.tensor([[1, 2, 4, 2, 7], [2, 6, 6, 0, 0], [4, 9, 3, 5, 1], [8, 0, 0, 0, 0]])
TRAINED = [[1, 2, 4, 2, 7], [2, 6, 6], [4, 9, 3, 5, 1]]
TEMPERATURE = 0.3
WIDTH = 3
KINDS = [("vcl", "all_positives"), ("icl", "all_positives")]
KINDS += [("nicl", "all_positives"), ("nicl", "literal")]
KIND = pytest.mark.parametrize(("kind", "denominator"), KINDS)
LACKING = {"none": ([], []), "some": ([3, 7], [2, 7, 9])}
"""Items without text, and without picture: as they come in a row, and as they follow."""


class World:
    """Vectors of the batch's items, and who lacks any."""

    def __init__(self, whole=WHOLE, lacking="none", seed=0):
        self.batch = worlds.sequences_of_batch(whole)
        generator = torch.Generator().manual_seed(seed)
        shape = (2, len(self.batch.items), WIDTH)
        vectors = torch.randn(*shape, generator=generator, dtype=torch.float64)
        self.has = [
            ~torch.isin(self.batch.items, torch.tensor(without, dtype=torch.int64))
            for without in LACKING[lacking]
        ]
        for side, has in zip(vectors, self.has, strict=True):
            side[~has] = 0
        self.vectors = vectors.requires_grad_()

    def loss(self, kind, denominator="all_positives", temperature=TEMPERATURE):
        return modality_contrast(
            *self.vectors,
            self.batch,
            has_text=self.has[0],
            has_image=self.has[1],
            kind=kind,
            denominator=denominator,
            temperature=temperature,
        )

    def reference(self, vectors, sequences, kind, denominator):
        texts, images = (
            {
                item: vector
                for item, vector, present in zip(
                    self.batch.items.tolist(), side, has.tolist(), strict=True
                )
                if present
            }
            for side, has in zip(vectors, self.has, strict=True)
        )
        return reference_pmmrec.contrast(
            texts,
            images,
            sequences,
            kind=kind,
            denominator=denominator,
            temperature=TEMPERATURE,
        )


@KIND
@pytest.mark.parametrize("lacking", LACKING)
def test_value_and_gradients_are_those_of_the_formula(kind, denominator, lacking):
    world = World(lacking=lacking)
    loss = world.loss(kind, denominator)
    values = world.vectors.detach().numpy().copy()
    assert loss.item() == pytest.approx(
        world.reference(values, TRAINED, kind, denominator), rel=1e-12
    )
    (gradient,) = torch.autograd.grad(loss, world.vectors)
    slopes = numerical_gradient(
        lambda moved: world.reference(moved, TRAINED, kind, denominator), values
    )
    present = torch.stack(world.has).numpy()
    np.testing.assert_allclose(gradient.numpy()[present], slopes[present], rtol=1e-5, atol=1e-8)
    assert not gradient.numpy()[~present].any()


@KIND
@pytest.mark.parametrize("seed", range(5))
def test_any_batch_has_the_value_of_the_formula(kind, denominator, seed):
    lengths = [2, 5, 3, 2, 7, 4]
    whole = worlds.sequences(lengths, seed=seed)
    world = World(whole, "some", seed)
    sequences = [[item for item in row if item] for row in whole.tolist()]
    values = world.vectors.detach().numpy()
    assert world.loss(kind, denominator).item() == pytest.approx(
        world.reference(values, sequences, kind, denominator), rel=1e-12
    )


def pushed(world, kind):
    """Items whose text, or picture, moves with the loss."""
    (gradients,) = torch.autograd.grad(world.loss(kind), world.vectors)
    moved = (gradients.abs() > 1e-12).any(dim=2)
    return [set(world.batch.items[side].tolist()) for side in moved]


@pytest.mark.parametrize("kind", ["vcl", "icl", "nicl"])
def test_items_of_one_row_are_never_set_against_each_other(kind):
    # With nothing to be set against, only what NICL pulls together moves.
    assert pushed(World(WHOLE[:1]), kind) == [set(), set()]


def test_the_next_item_is_pulled_closer_by_nicl_alone():
    # 4 is no anchor, for it is the last; and none of the candidates, for it lies in both rows.
    world = World(torch.tensor([[1, 4, 0], [2, 4, 0]]))
    assert 4 not in set.union(*pushed(world, "icl"))
    assert 4 in set.intersection(*pushed(world, "nicl"))


def test_an_item_that_follows_itself_is_no_positive_of_its_own():
    world = World(torch.tensor([[1, 1, 0], [2, 2, 0]]))
    assert torch.equal(world.loss("nicl"), world.loss("icl"))
    assert torch.equal(world.loss("nicl", "literal"), world.loss("icl"))


def of_first_row(whole):
    """The anchors of the first row alone, among the items of all."""
    world = World(torch.tensor(whole))
    sequences = world.batch.sequences.clone()
    sequences[1:] = 0
    world.batch = world.batch._replace(sequences=sequences)
    return world


@KIND
def test_an_item_is_set_against_once_however_often_others_have_it(kind, denominator):
    once = of_first_row([[1, 2, 0], [3, 4, 0]])
    often = of_first_row([[1, 2, 0], [3, 4, 3], [3, 4, 0]])
    assert torch.equal(often.loss(kind, denominator), once.loss(kind, denominator))
    assert once.loss(kind, denominator) != of_first_row([[1, 2], [3, 3]]).loss(kind, denominator)


def test_with_the_literal_denominator_a_loss_can_be_negative():
    world = World(WHOLE[:1])
    assert world.loss("nicl", "literal") < -0.1
    assert world.loss("nicl").item() == pytest.approx(0, abs=1e-12)


def test_a_batch_without_any_complete_item_has_no_loss_and_moves_nothing():
    world = World()
    world.has[1] = torch.zeros_like(world.has[1])
    loss = world.loss("nicl")
    assert loss == 0
    (gradients,) = torch.autograd.grad(loss, world.vectors)
    assert not gradients.any()


@KIND
def test_cosines_are_float32_even_under_autocast(kind, denominator):
    world = World()
    world.vectors = world.vectors.detach().float()
    expected = world.loss(kind, denominator, temperature=0.07)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(world.loss(kind, denominator, temperature=0.07), expected)
