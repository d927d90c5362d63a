import pytest
import torch

from mmrec.nn.convolutional_encoder import ConvolutionalEncoder
from mmrec.nn.packing import Packing
from tests import reference

LENGTHS = [3, 9, 1, 5, 17, 1, 4]


def build(dilations, embedding_dim=6):
    torch.manual_seed(0)
    module = ConvolutionalEncoder(embedding_dim=embedding_dim, dilations=dilations).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return module


@pytest.fixture(params=[[1], [1, 4], [1, 2, 1]], ids=str)
def encoder(request):
    return build(request.param)


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    shape = (len(LENGTHS), max(LENGTHS), 6)
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def valid_of(lengths, columns):
    return torch.arange(columns) < torch.tensor(lengths).unsqueeze(1)


def packed(inputs, lengths):
    packing = Packing.of(valid_of(lengths, inputs.shape[1]).long())
    return inputs.flatten(0, 1)[packing.places], packing


def encode(encoder, inputs, lengths):
    """Padded in, padded out; zeros at padded positions."""
    tokens, packing = packed(inputs, lengths)
    states = encoder(tokens, packing)
    padded = torch.zeros_like(inputs.flatten(0, 1)).index_copy(0, packing.places, states)
    return padded.view_as(inputs)


def slow_states(encoder, inputs, lengths):
    """States of the real positions, sequence after sequence, of rows padded on the left."""
    longest = inputs.shape[1]
    on_the_left = torch.randn_like(inputs)
    for row, length in enumerate(lengths):
        on_the_left[row, longest - length :] = inputs[row, :length]
    valid = valid_of(lengths, longest).flip(1)
    return reference.convolutional_encoder(encoder, on_the_left, valid)[valid]


def test_states_and_gradients_equal_torch_s_convolution_of_left_padded_rows(encoder, inputs):
    valid = valid_of(LENGTHS, inputs.shape[1])
    slow, fast = slow_states(encoder, inputs, LENGTHS), encode(encoder, inputs, LENGTHS)[valid]
    torch.testing.assert_close(fast, slow)
    weight = torch.randn_like(fast)
    wanted = [inputs, *encoder.parameters()]
    fast_gradients = torch.autograd.grad((fast * weight).sum(), wanted)
    slow_gradients = torch.autograd.grad((slow * weight).sum(), wanted)
    for ours, theirs in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_states_of_samples_are_those_of_all_tokens(encoder, inputs):
    samples = torch.tensor([7, 0, 7, 33, 12])
    sampled = encoder(*packed(inputs, LENGTHS), samples)
    every = encoder(*packed(inputs, LENGTHS))[samples]
    torch.testing.assert_close(sampled, every)
    for ours, theirs in zip(
        torch.autograd.grad(sampled.square().sum(), [inputs, *encoder.parameters()]),
        torch.autograd.grad(every.square().sum(), [inputs, *encoder.parameters()]),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_later_items_change_no_earlier_state(encoder, inputs):
    changed = inputs.detach().clone()
    changed[:, 4:] += torch.randn_like(changed[:, 4:])
    before, after = encode(encoder, inputs, LENGTHS), encode(encoder, changed, LENGTHS)
    torch.testing.assert_close(after[:, :4], before[:, :4], rtol=0, atol=1e-12)
    assert (after[1, 4] - before[1, 4]).abs().max() > 1e-6


def test_the_state_of_a_position_is_that_of_its_prefix(encoder, inputs):
    whole = encode(encoder, inputs, LENGTHS)
    for length in (1, 2, 7):
        prefix = encode(encoder, inputs[1:2, :length], [length])
        torch.testing.assert_close(prefix[0, -1], whole[1, length - 1])


@pytest.mark.parametrize(("dilations", "field"), [([1], 7), ([1, 4], 31), ([1, 4, 1, 4], 61)])
def test_a_state_knows_the_items_of_its_receptive_field_and_no_others(dilations, field):
    module = build(dilations)
    assert module.receptive_field == field
    length = field + 5
    inputs = torch.randn(1, length, 6, dtype=torch.float64, requires_grad=True)
    state = encode(module, inputs, [length])[0, -1]
    (gradient,) = torch.autograd.grad((state * torch.randn_like(state)).sum(), inputs)
    reached = gradient[0].abs().amax(dim=1) > 0
    assert reached.tolist() == [False] * 5 + [True] * field


def test_weights_start_within_two_standard_deviations():
    torch.manual_seed(0)
    module = ConvolutionalEncoder(embedding_dim=64, dilations=[1, 4])
    for name, value in module.named_parameters():
        if "norm" not in name and name.endswith("weight"):
            assert value.abs().max() <= 0.04
            assert value.std().item() == pytest.approx(0.0176, rel=0.03)  # .02, without its tails
        elif name.endswith("bias"):
            assert not value.any()


def test_layer_norms_have_the_epsilon_of_the_authors_code(encoder):
    assert {norm.eps for norm in encoder.modules() if hasattr(norm, "eps")} == {1e-8}


@pytest.mark.parametrize("dilations", [[], [1, 0]])
def test_dilations_must_be_at_least_one(dilations):
    with pytest.raises(ValueError, match=r"dilations are .* such as \[1, 4\]"):
        ConvolutionalEncoder(embedding_dim=4, dilations=dilations)
