import numpy as np
import pytest
import torch
from torch import nn

from mmrec.nn.fusion import Concatenation, Dnn, FiLM, Gate, Summation
from tests import reference_fusions

WIDTH = 7
SLOW = {
    Summation: reference_fusions.summation,
    Concatenation: reference_fusions.concatenation,
    FiLM: reference_fusions.film,
    Gate: reference_fusions.gate,
}
FUSIONS = pytest.mark.parametrize("fusion", SLOW)


def build(fusion, *settings):
    """With weights that are far from any initialisation."""
    torch.manual_seed(0)
    module = fusion(WIDTH, *settings).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def items(num_items):
    """Text and image; those of the first item so alike within that the norm's epsilon counts."""
    torch.manual_seed(1)
    vectors = torch.randn(num_items, 2, WIDTH, dtype=torch.float64)
    vectors[0] *= 1e-3
    return vectors


def numpy_weights(module):
    return {name: weight.detach().numpy() for name, weight in module.named_parameters()}


@FUSIONS
@pytest.mark.parametrize("num_items", [1, 5])
def test_vectors_equal_those_of_one_item_at_a_time(fusion, num_items):
    module, vectors = build(fusion), items(num_items)
    weights = numpy_weights(module)
    slow = [SLOW[fusion](weights, *item) for item in vectors.numpy()]
    found = module(vectors)
    assert found.shape == (num_items, WIDTH)
    torch.testing.assert_close(found, torch.from_numpy(np.stack(slow)))


@FUSIONS
def test_every_weight_and_both_vectors_of_each_item_have_a_gradient(fusion):
    module, vectors = build(fusion), items(3).requires_grad_()
    fused = module(vectors)
    weight = torch.randn_like(fused)
    of_vectors, *of_weights = torch.autograd.grad(
        (fused * weight).sum(), [vectors, *module.parameters()]
    )
    assert of_vectors.abs().amax(dim=2).min() > 0
    assert all(gradient.abs().max() > 0 for gradient in of_weights)


@FUSIONS
def test_an_item_does_not_depend_on_its_batch(fusion):
    module, vectors = build(fusion), items(4)
    changed = torch.cat([vectors[1:2], torch.full((3, 2, WIDTH), torch.nan).double()])
    torch.testing.assert_close(module(changed)[0], module(vectors)[1])


@FUSIONS
def test_text_and_image_have_parts_of_their_own(fusion):
    module, vectors = build(fusion), items(4)
    assert (module(vectors) - module(vectors.flip(1))).abs().amax(dim=1).min() > 0.01


@FUSIONS
def test_text_and_image_share_one_norm(fusion):
    norms = [module for module in fusion(WIDTH).modules() if isinstance(module, nn.LayerNorm)]
    assert [norm.eps for norm in norms] == [1e-6]


@pytest.mark.parametrize("fusion", [*SLOW, lambda width: Dnn(width, 0.0)])
def test_weights_start_xavier_normal_and_biases_at_zero(fusion):
    torch.manual_seed(0)
    maps = [part for part in fusion(200).modules() if isinstance(part, nn.Linear)]
    assert maps
    for part in maps:
        expected = (2 / (part.in_features + part.out_features)) ** 0.5
        assert part.weight.std().item() == pytest.approx(expected, rel=0.02)
        assert part.weight.abs().max() > 3 * expected  # normal, not uniform
        assert not part.bias.any()


def test_film_conditions_the_image_on_the_text():
    """Scaled by nothing, the image is not seen."""
    module, vectors = build(FiLM), items(4)
    other_image = torch.stack([vectors[:, 0], vectors.flip(0)[:, 1]], dim=1)
    with torch.no_grad():
        for name in ("weight", "bias"):
            getattr(module.scale_shift, name)[:WIDTH] = 0
    torch.testing.assert_close(module(other_image), module(vectors))


def test_a_closed_gate_lets_nothing_of_the_image_through():
    module, vectors = build(Gate), items(4)
    with torch.no_grad():
        module.text.bias.fill_(-1e6)
    torch.testing.assert_close(module(vectors), module.output.bias.expand(4, -1))


@pytest.mark.parametrize("num_items", [1, 5])
def test_dnn_equals_one_item_at_a_time_and_is_never_below_zero(num_items):
    module, vectors = build(Dnn, 0.0), items(num_items)[:, 0]
    weights = numpy_weights(module)
    slow = [reference_fusions.dnn(weights, vector) for vector in vectors.numpy()]
    found = module(vectors)
    torch.testing.assert_close(found, torch.from_numpy(np.stack(slow)))
    assert found.min() == 0
    assert found.max() > 0


def test_dnn_drops_what_enters_each_layer_in_training_only():
    torch.manual_seed(0)
    module = Dnn(200, 0.5)
    for layer in module.layers:
        nn.init.zeros_(layer.weight)
        nn.init.ones_(layer.bias)
    with torch.no_grad():
        module.layers[2].weight.copy_(torch.eye(200))  # 1 + what enters the last layer
    values = module(torch.ones(50, 200))
    assert set(values.unique().tolist()) == {1.0, 3.0}  # dropped before it, and not after
    assert values.eq(1).float().mean().item() == pytest.approx(0.5, abs=0.03)
    module.eval()
    assert module(torch.ones(50, 200)).eq(2).all()


def test_every_layer_of_the_dnn_has_its_own_dropout():
    torch.manual_seed(0)
    module = Dnn(1, 0.5)
    for layer in module.layers:
        nn.init.ones_(layer.weight)
    survived = module(torch.ones(4000, 1))
    assert set(survived.unique().tolist()) == {0.0, 8.0}
    assert survived.eq(8).float().mean().item() == pytest.approx(1 / 8, abs=0.02)


@FUSIONS
def test_a_dnn_follows_a_fusion(fusion):
    torch.manual_seed(0)
    module = nn.Sequential(fusion(WIDTH), Dnn(WIDTH, 0.0))
    vectors = torch.randn(9, 2, WIDTH, requires_grad=True)
    fused = module(vectors)
    assert fused.shape == (9, WIDTH)
    wanted = [vectors, *module.parameters()]
    gradients = torch.autograd.grad(fused.sum(), wanted)
    assert all(gradient.abs().max() > 0 for gradient in gradients)
