import pytest
import torch

from mmrec.nn.merge_attention import MergeAttention, RaggedTokens
from tests import reference

# Tokens of each item: text, image. Item 2 has none, items 1 and 3 one modality.
COUNTS = [[3, 0, 0, 6, 1], [2, 4, 0, 0, 1]]
WIDTH = 8


def build(readout, num_layers=2, dropout=0.0):
    torch.manual_seed(0)
    module = MergeAttention(
        embedding_dim=WIDTH,
        num_layers=num_layers,
        num_heads=2,
        feedforward_dim=16,
        dropout=dropout,
        attention_dropout=dropout,
        readout=readout,
    ).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return module


@pytest.fixture
def contents():
    torch.manual_seed(1)
    return [
        RaggedTokens(
            torch.randn(sum(counts), WIDTH, dtype=torch.float64, requires_grad=True),
            torch.tensor(counts),
        )
        for counts in COUNTS
    ]


def tokens_of(contents, item):
    """Tokens of one item, a modality after the other."""
    parts = [tokens.vectors.split(tokens.counts.tolist())[item] for tokens in contents]
    return torch.cat(parts)


def slow_vectors(module, contents):
    """One item at a time."""
    found = []
    for item in range(len(COUNTS[0])):
        tokens = tokens_of(contents, item)
        if module.readout == "cls" or not len(tokens):
            tokens = torch.cat([module.cls.unsqueeze(0), tokens])
        valid = torch.ones(1, len(tokens), dtype=torch.bool)
        states = reference.transformer(module.layers, tokens.unsqueeze(0), valid, "both")[0]
        found.append(states[0] if module.readout == "cls" else states.mean(dim=0))
    return torch.stack(found)


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("readout", ["cls", "mean"])
def test_vectors_and_gradients_equal_those_of_one_item_at_a_time(contents, readout, num_layers):
    module = build(readout, num_layers)
    slow, fast = slow_vectors(module, contents), module(contents)
    torch.testing.assert_close(fast, slow)
    weight = torch.randn_like(slow)
    wanted = [*(tokens.vectors for tokens in contents), *module.parameters()]
    fast_gradients = torch.autograd.grad((fast * weight).sum(), wanted)
    slow_gradients = torch.autograd.grad((slow * weight).sum(), wanted)
    for ours, theirs in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(ours, theirs)
        assert ours.abs().max() > 0


@pytest.mark.parametrize("readout", ["cls", "mean"])
def test_an_item_without_tokens_has_the_state_of_the_learned_token_alone(contents, readout):
    module = build(readout)
    alone = module([RaggedTokens(torch.zeros(0, WIDTH, dtype=torch.float64), torch.tensor([0]))])
    torch.testing.assert_close(module(contents)[2:3], alone)
    assert alone.isfinite().all()


def test_an_item_does_not_depend_on_its_batch(contents):
    module = build("cls")
    alone = [
        RaggedTokens(tokens.vectors.split(tokens.counts.tolist())[3], tokens.counts[3:4])
        for tokens in contents
    ]
    torch.testing.assert_close(module(alone), module(contents)[3:4])


def test_dropout_acts_in_training_only(contents):
    module = build("cls", dropout=0.4)
    assert not torch.equal(module(contents), module(contents))
    module.eval()
    assert torch.equal(module(contents), module(contents))
