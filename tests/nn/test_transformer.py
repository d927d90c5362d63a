import pytest
import torch

from mmrec.nn.packing import Packing
from mmrec.nn.transformer import SelfAttention, TransformerLayers, initialise
from tests import reference

LENGTHS = [3, 0, 5, 1]


def build(embedding_dim=8, **settings):
    torch.manual_seed(0)
    return TransformerLayers(
        embedding_dim=embedding_dim,
        num_layers=2,
        num_heads=2,
        feedforward_dim=2 * embedding_dim,
        dropout=0.0,
        attention_dropout=0.0,
        **settings,
    ).double()


@pytest.mark.parametrize("direction", ["causal", "both"])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_states_equal_those_of_one_sequence_at_a_time(direction, activation):
    layers = build(direction=direction, activation=activation)
    for parameter in layers.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    packing = Packing.of_lengths(torch.tensor(LENGTHS))
    tokens = torch.randn(2, sum(LENGTHS), 8, dtype=torch.float64)
    states = layers(tokens, packing)
    for start, length in zip(packing.starts.tolist(), LENGTHS, strict=True):
        own = slice(start, start + length)
        valid = torch.ones(2, length, dtype=torch.bool)
        slow = reference.transformer(layers, tokens[:, own], valid, direction)
        torch.testing.assert_close(states[:, own], slow)


def test_sequences_without_any_token_have_no_states():
    packing = Packing.of_lengths(torch.zeros(3, dtype=torch.int64))
    states = build(direction="both")(torch.zeros(2, 0, 8, dtype=torch.float64), packing)
    assert states.shape == (2, 0, 8)


def test_attention_may_have_no_biases():
    layers = build(attention_bias=False)
    initialise(layers, "normal")
    names = {name for name, _ in layers[0].named_parameters() if name.endswith("bias")}
    assert names == {"attention_norm.bias", "expand.bias", "contract.bias", "feedforward_norm.bias"}
    with_biases = {name for name, _ in build()[0].named_parameters() if name.endswith("bias")}
    assert with_biases - names == {"attention.query_key_value.bias", "attention.output.bias"}


def test_xavier_weights_of_query_key_and_value_are_drawn_apart():
    width = 200
    layers = build(width)
    initialise(layers, "xavier_normal")
    for layer in layers:
        joint = layer.attention.query_key_value
        for part in joint.weight.chunk(3):  # sqrt(2 / (inputs + outputs)) of each by itself
            assert part.std().item() == pytest.approx((1 / width) ** 0.5, rel=0.02)
        assert layer.expand.weight.std().item() == pytest.approx((2 / 3 / width) ** 0.5, rel=0.02)
        assert not joint.bias.any()
        assert not layer.expand.bias.any()


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match=r"embedding_dim \(10\).*num_heads \(4\)"):
        SelfAttention(10, 4, 0.0)
