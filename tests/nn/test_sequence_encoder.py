import pytest
import torch

from mmrec.nn.packing import Packing
from mmrec.nn.sequence_encoder import SequenceEncoder
from mmrec.nn.transformer import SelfAttention
from tests import reference

LENGTHS = [3, 9, 1, 5, 12, 4]


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    module = SequenceEncoder(
        embedding_dim=8,
        num_layers=2,
        num_heads=2,
        feedforward_dim=16,
        dropout=0.3,
        attention_dropout=0.3,
        max_sequence_length=20,
    ).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return module.eval()


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    return torch.randn(len(LENGTHS), max(LENGTHS), 8, dtype=torch.float64)


def items_of(lengths, columns):
    return (torch.arange(columns) < torch.tensor(lengths).unsqueeze(1)).long()


def encode(encoder, inputs, lengths):
    """Padded in, padded out; zeros at padded positions."""
    packing = Packing.of(items_of(lengths, inputs.shape[1]))
    flat = inputs.flatten(0, 1)
    states = encoder(flat[packing.places].unsqueeze(0), packing)[0]
    padded = torch.zeros_like(flat).index_copy(0, packing.places, states)
    return padded.view_as(inputs)


@pytest.mark.parametrize("in_training", [False, True])
def test_states_equal_naive_attention_with_a_key_padding_mask(encoder, inputs, in_training):
    for module in encoder.modules():
        # Rounds to none, and yet goes the way of attention with dropout.
        vars(module).update({name: 1e-9 for name in vars(module) if "dropout" in name})
    encoder.train(in_training)
    valid = items_of(LENGTHS, inputs.shape[1]).bool()
    slow = reference.sequence_encoder(encoder, inputs, valid)
    fast = encode(encoder, inputs, LENGTHS)
    torch.testing.assert_close(fast[valid], slow[valid])
    with torch.no_grad():
        torch.testing.assert_close(encode(encoder, inputs, LENGTHS)[valid], slow[valid])
    weight = torch.randn_like(fast[valid])
    parameters = list(encoder.parameters())
    fast_gradients = torch.autograd.grad((fast[valid] * weight).sum(), parameters)
    slow_gradients = torch.autograd.grad((slow[valid] * weight).sum(), parameters)
    for ours, theirs in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_states_of_samples_are_those_of_all_tokens(encoder, inputs):
    packing = Packing.of(items_of(LENGTHS, inputs.shape[1]))
    tokens = inputs.flatten(0, 1)[packing.places].expand(2, -1, -1)
    samples = torch.tensor([7, 0, 7, 33, 12])
    every, sampled = encoder(tokens, packing), encoder(tokens, packing, samples)
    torch.testing.assert_close(sampled, every[:, samples])
    parameters = list(encoder.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(sampled.square().sum(), parameters),
        torch.autograd.grad(every[:, samples].square().sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_streams_are_encoded_apart_by_the_same_weights(encoder, inputs):
    packing = Packing.of(items_of(LENGTHS, inputs.shape[1]))
    tokens = torch.randn(3, len(packing.places), 8, dtype=torch.float64)
    together = encoder(tokens, packing)
    apart = torch.cat([encoder(stream.unsqueeze(0), packing) for stream in tokens])
    torch.testing.assert_close(together, apart)


def test_later_items_change_no_earlier_state(encoder, inputs):
    changed = inputs.clone()
    changed[4, 7:] = torch.randn(5, 8, dtype=torch.float64)
    before, after = encode(encoder, inputs, LENGTHS), encode(encoder, changed, LENGTHS)
    torch.testing.assert_close(after[4, :7], before[4, :7])
    assert ((after[4, 7:] - before[4, 7:]).abs().amax(dim=-1) > 1e-6).all()


def test_padding_on_the_right_changes_nothing(encoder, inputs):
    wider = torch.cat([inputs, torch.randn(len(LENGTHS), 6, 8, dtype=torch.float64)], dim=1)
    before = encode(encoder, inputs, LENGTHS)
    after = encode(encoder, wider, LENGTHS)
    torch.testing.assert_close(after[:, : inputs.shape[1]], before)


def test_padding_on_the_left_changes_nothing_once_positions_are_shifted(encoder, inputs):
    length, shift = 5, 4
    sequence = inputs[3:4, :length]
    on_the_right = encode(encoder, sequence, [length])
    on_the_left = torch.cat([torch.randn(1, shift, 8, dtype=torch.float64), sequence], dim=1)
    valid = (torch.arange(length + shift) >= shift).unsqueeze(0)
    with torch.no_grad():
        encoder.positions.copy_(encoder.positions.roll(shift, dims=0))
    states = reference.sequence_encoder(encoder, on_the_left, valid)
    torch.testing.assert_close(states[:, shift:], on_the_right)


def test_a_sequence_does_not_depend_on_its_batch(encoder, inputs):
    alone = encode(encoder, inputs[1:2, :9], [9])
    torch.testing.assert_close(encode(encoder, inputs, LENGTHS)[1:2, :9], alone)


def test_dropout_and_attention_dropout_act_in_training_only(encoder, inputs):
    assert torch.equal(encode(encoder, inputs, LENGTHS), encode(encoder, inputs, LENGTHS))
    for layer in encoder.layers:
        layer.dropout = 0.0
    encoder.dropout = 0.0
    encoder.train()
    assert not torch.equal(encode(encoder, inputs, LENGTHS), encode(encoder, inputs, LENGTHS))


@pytest.mark.parametrize("place", ["input", "attention", "feed-forward net"])
def test_dropout_acts_at_each_place_by_itself(encoder, inputs, place):
    for layer in encoder.layers:
        layer.attention.attention_dropout = 0.0
        for name, last in (
            ("attention", layer.attention.output),
            ("feed-forward net", layer.contract),
        ):
            if place != name:  # its output is zero, dropped or not
                torch.nn.init.zeros_(last.weight)
                torch.nn.init.zeros_(last.bias)
    if place != "input":
        encoder.dropout = 0.0
    encoder.train()
    assert not torch.equal(encode(encoder, inputs, LENGTHS), encode(encoder, inputs, LENGTHS))


def test_a_sequence_longer_than_the_positions_is_refused(encoder):
    inputs = torch.zeros(1, 21, 8, dtype=torch.float64)
    with pytest.raises(ValueError, match="21 items, the model has positions for 20"):
        encode(encoder, inputs, [21])


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match=r"embedding_dim \(10\).*num_heads \(4\)"):
        SelfAttention(10, 4, 0.0)
