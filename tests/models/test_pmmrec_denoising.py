"""What was done to a position, and which sequence it was: values and slopes."""

import numpy as np
import pytest
import torch

from mmrec.models.pmmrec.denoising import NoisedItemDetection, robust_contrast
from tests import reference_pmmrec
from tests.reference_mmsrec import numerical_gradient

WIDTH = 4
LABELS = torch.tensor([0, 1, 0, 2, 0, 0, 1])
SIMILARITY = pytest.mark.parametrize("similarity", ["normalised", "raw"])
RELU = pytest.mark.parametrize("relu", [True, False])


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def detection(relu):
    torch.manual_seed(0)
    module = NoisedItemDetection(WIDTH, relu=relu).double()
    with torch.no_grad():
        module.output.bias.copy_(drawn(3, seed=2))
    return module


def assert_slopes(loss, tensor, function):
    """Of a function of the tensor's values, at its values."""
    (gradient,) = torch.autograd.grad(loss, tensor, retain_graph=True)
    expected = numerical_gradient(function, tensor.detach().numpy().copy())
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-5, atol=1e-8)


@RELU
def test_detection_has_the_value_and_slopes_of_the_formula(relu):
    module, states = detection(relu), drawn(len(LABELS), WIDTH).requires_grad_()
    loss = module(states, LABELS)
    weight, bias = (value.detach().numpy() for value in module.output.parameters())

    known = states.detach().numpy()

    def reference(values=known, of=weight, plus=bias):
        labels = LABELS.tolist()
        return reference_pmmrec.noised_item_detection(values, labels, of, plus, relu=relu)

    assert loss.item() == pytest.approx(reference(), rel=1e-12)
    assert_slopes(loss, states, reference)
    assert_slopes(loss, module.output.weight, lambda moved: reference(of=moved))
    assert_slopes(loss, module.output.bias, lambda moved: reference(plus=moved))


def test_behind_a_relu_a_label_below_zero_has_no_gradient():
    states = drawn(1, WIDTH)
    for relu in (True, False):
        module = detection(relu)
        with torch.no_grad():
            module.output.bias.copy_(torch.tensor([9.0, 9.0, -99.0]))
        module(states, torch.tensor([2])).backward()
        assert module.output.bias.grad[2] == 0 if relu else module.output.bias.grad[2] < 0


def test_without_positions_nothing_is_detected_and_nothing_moves():
    module, states = detection(False), torch.zeros(0, WIDTH, dtype=torch.float64)
    loss = module(states, LABELS[:0])
    loss.backward()
    assert loss == 0
    assert not module.output.weight.grad.any()


@SIMILARITY
@pytest.mark.parametrize("count", [1, 2, 5])
def test_contrast_has_the_value_and_slopes_of_the_formula(similarity, count):
    clean, corrupted = (drawn(count, WIDTH, seed=seed).requires_grad_() for seed in (0, 1))
    loss = robust_contrast(clean, corrupted, similarity=similarity, temperature=0.3)

    before, after = clean.detach().numpy(), corrupted.detach().numpy()

    def reference(first=before, second=after):
        return reference_pmmrec.robust_contrast(
            first, second, similarity=similarity, temperature=0.3
        )

    assert loss.item() == pytest.approx(reference(), rel=1e-12, abs=1e-12)
    assert_slopes(loss, clean, reference)
    assert_slopes(loss, corrupted, lambda moved: reference(second=moved))


def test_lengths_count_for_raw_products_alone_and_the_temperature_for_cosines():
    clean, corrupted = drawn(5, WIDTH), drawn(5, WIDTH, seed=1)

    def loss(similarity, scale=1.0, temperature=0.07):
        return robust_contrast(
            scale * clean, corrupted, similarity=similarity, temperature=temperature
        ).item()

    assert loss("normalised", scale=3) == pytest.approx(loss("normalised"))
    assert loss("raw", scale=3) != pytest.approx(loss("raw"))
    assert loss("raw", temperature=1.0) == loss("raw")
    assert loss("normalised", temperature=1.0) != pytest.approx(loss("normalised"))


def test_the_clean_ones_are_told_from_each_other_by_the_corrupted():
    # One direction: swapped, the loss is another.
    clean, corrupted = drawn(5, WIDTH), drawn(5, WIDTH, seed=1)
    there, back = (
        robust_contrast(*pair, similarity="normalised", temperature=0.07)
        for pair in ((clean, corrupted), (corrupted, clean))
    )
    assert there != back


@SIMILARITY
def test_products_are_float32_even_under_autocast(similarity):
    clean, corrupted = drawn(5, WIDTH).float(), drawn(5, WIDTH, seed=1).float()
    expected = robust_contrast(clean, corrupted, similarity=similarity, temperature=0.07)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = robust_contrast(clean, corrupted, similarity=similarity, temperature=0.07)
    assert torch.equal(found, expected)
