import pytest
import torch

from mmrec.nn.packing import Packing
from mmrec.nn.sequence_encoder import SequenceEncoder
from tests import reference

LENGTHS = [3, 9, 1, 5, 12, 4]


MAX_LENGTH = 20


def build(**settings):
    torch.manual_seed(0)
    module = SequenceEncoder(
        embedding_dim=8,
        num_layers=2,
        num_heads=2,
        feedforward_dim=16,
        dropout=0.3,
        attention_dropout=0.3,
        max_sequence_length=MAX_LENGTH,
        **settings,
    ).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return module.eval()


@pytest.fixture(params=["causal", "both"])
def encoder(request):
    return build(direction=request.param)


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    return torch.randn(len(LENGTHS), max(LENGTHS), 8, dtype=torch.float64)


def items_of(lengths, columns):
    return (torch.arange(columns) < torch.tensor(lengths).unsqueeze(1)).long()


def encode(encoder, inputs, lengths, anchor="start"):
    """Padded in, padded out; zeros at padded positions."""
    packing = Packing.of(items_of(lengths, inputs.shape[1]))
    flat = inputs.flatten(0, 1)
    states = encoder(flat[packing.places].unsqueeze(0), packing, anchor=anchor)[0]
    padded = torch.zeros_like(flat).index_copy(0, packing.places, states)
    return padded.view_as(inputs)


def slow_states(encoder, inputs, lengths, anchor):
    """States of the real positions, sequence after sequence, of rows padded as the anchor says."""
    direction = encoder.layers[0].attention.direction
    if anchor != "end":
        positions = encoder.positions[: inputs.shape[1]] if anchor == "start" else 0
        valid = items_of(lengths, inputs.shape[1]).bool()
        padded = inputs
    else:  # on the left, with what lies there of no matter
        positions = encoder.positions
        padded = torch.randn(len(lengths), MAX_LENGTH, inputs.shape[2], dtype=inputs.dtype)
        for row, length in enumerate(lengths):
            padded[row, MAX_LENGTH - length :] = inputs[row, :length]
        valid = items_of(lengths, MAX_LENGTH).bool().flip(1)
    states = reference.sequence_encoder(
        encoder, padded, valid, direction=direction, positions=positions
    )
    return states[valid]


@pytest.mark.parametrize("in_training", [False, True])
@pytest.mark.parametrize("anchor", ["start", "end", "none"])
def test_states_equal_naive_attention_with_a_key_padding_mask(encoder, inputs, anchor, in_training):
    for module in encoder.modules():
        # Rounds to none, and yet goes the way of attention with dropout.
        vars(module).update({name: 1e-9 for name in vars(module) if "dropout" in name})
    encoder.train(in_training)
    inputs.requires_grad_()
    valid = items_of(LENGTHS, inputs.shape[1]).bool()
    slow = slow_states(encoder, inputs, LENGTHS, anchor)
    fast = encode(encoder, inputs, LENGTHS, anchor)[valid]
    torch.testing.assert_close(fast, slow)
    with torch.no_grad():
        torch.testing.assert_close(encode(encoder, inputs, LENGTHS, anchor)[valid], slow)
    weight = torch.randn_like(fast)
    parameters = [
        inputs,
        *(
            value
            for name, value in encoder.named_parameters()
            if anchor != "none" or "pos" not in name
        ),
    ]
    fast_gradients = torch.autograd.grad((fast * weight).sum(), parameters)
    slow_gradients = torch.autograd.grad((slow * weight).sum(), parameters)
    for ours, theirs in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("direction", ["causal", "both"])
def test_positions_from_the_end_equal_padding_on_the_left_in_single_precision(inputs, direction):
    encoder, inputs = build(direction=direction).float(), inputs.float()
    valid = items_of(LENGTHS, inputs.shape[1]).bool()
    slow = slow_states(encoder, inputs, LENGTHS, "end")
    fast = encode(encoder, inputs, LENGTHS, "end")[valid]
    torch.testing.assert_close(fast, slow, atol=1e-6, rtol=1e-6)


def test_every_layer_norm_has_the_epsilon_asked_for():
    for settings, eps in (({}, 1e-12), ({"norm_eps": 1e-5}, 1e-5)):
        norms = [module for module in build(**settings).modules() if hasattr(module, "eps")]
        assert [norm.eps for norm in norms] == [eps] * 5


def test_positions_are_drawn_as_the_dense_maps_are():
    torch.manual_seed(0)
    settings = {
        "embedding_dim": 300,
        "num_layers": 1,
        "num_heads": 1,
        "feedforward_dim": 4,
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "max_sequence_length": 100,
    }
    normal = SequenceEncoder(**settings)
    assert normal.positions.std().item() == pytest.approx(0.02, rel=0.02)
    xavier = SequenceEncoder(**settings, initialisation="xavier_normal")
    assert xavier.positions.std().item() == pytest.approx((2 / 400) ** 0.5, rel=0.02)
    own = xavier.layers[0].attention.output.weight
    assert own.std().item() == pytest.approx((2 / 600) ** 0.5, rel=0.02)


def test_inputs_have_a_dropout_of_their_own_where_it_is_given():
    encoder = build(input_dropout=0.1)
    assert [encoder.dropout, *(layer.dropout for layer in encoder.layers)] == [0.1, 0.3, 0.3]
    assert build().dropout == 0.3


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


def test_later_items_change_earlier_states_of_an_encoder_both_ways_only(inputs):
    changed = inputs.clone()
    changed[4, 7:] = torch.randn(5, 8, dtype=torch.float64)
    differences = {}
    for direction in ("causal", "both"):
        encoder = build(direction=direction)
        before, after = encode(encoder, inputs, LENGTHS), encode(encoder, changed, LENGTHS)
        torch.testing.assert_close(after[[0, 1, 2, 3, 5]], before[[0, 1, 2, 3, 5]])
        differences[direction] = (after[4] - before[4]).abs().amax(dim=-1)
    assert (differences["causal"][:7] < 1e-12).all()
    assert (differences["causal"][7:] > 1e-6).all()
    assert (differences["both"] > 1e-6).all()


def test_gradients_both_ways_are_those_of_small_differences():
    encoder = build(direction="both")
    packing = Packing.of(items_of([3, 1, 2], 3))
    tokens = torch.randn(1, 6, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda tokens: encoder(tokens, packing, anchor="end"), tokens)


def test_padding_on_the_right_changes_nothing(encoder, inputs):
    wider = torch.cat([inputs, torch.randn(len(LENGTHS), 6, 8, dtype=torch.float64)], dim=1)
    before = encode(encoder, inputs, LENGTHS)
    after = encode(encoder, wider, LENGTHS)
    torch.testing.assert_close(after[:, : inputs.shape[1]], before)


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


@pytest.mark.parametrize("anchor", ["start", "end"])
def test_a_sequence_longer_than_the_positions_is_refused(encoder, anchor):
    inputs = torch.zeros(1, 21, 8, dtype=torch.float64)
    with pytest.raises(ValueError, match="21 items, the model has positions for 20"):
        encode(encoder, inputs, [21], anchor)


def test_without_positions_a_sequence_may_have_any_length_and_order_both_ways(inputs):
    encoder = build(direction="both")
    row = torch.randn(1, 30, 8, dtype=torch.float64)
    states = encode(encoder, row, [30], "none")
    turned = encode(encoder, row.flip(1), [30], "none")
    torch.testing.assert_close(turned.flip(1), states)
