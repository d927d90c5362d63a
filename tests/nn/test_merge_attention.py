import pytest
import torch
from torch import nn

from mmrec.nn.merge_attention import MergeAttention, RaggedTokens
from tests import reference, reference_fusions

# Tokens of each item: text, image. Item 2 has none, items 1 and 3 one modality, items 5 and 6 one
# token; the last two are padded together.
COUNTS = [[3, 0, 0, 6, 1, 1, 0, 2, 70, 30], [2, 4, 0, 0, 1, 0, 1, 7, 5, 40]]
NUM_ITEMS = len(COUNTS[0])
WIDTH = 6
READOUTS = pytest.mark.parametrize("readout", ["cls", "mean"])


def build(readout, num_layers=2, **settings):
    """With weights that are far from their initialisation."""
    torch.manual_seed(0)
    dropouts = {"dropout": 0.0, "attention_dropout": 0.0} | settings
    module = MergeAttention(
        embedding_dim=WIDTH,
        num_layers=num_layers,
        num_heads=3,
        feedforward_dim=11,
        readout=readout,
        **dropouts,
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
    for item in range(len(contents[0].counts)):
        tokens = tokens_of(contents, item)
        if module.readout == "cls" or not len(tokens):
            tokens = torch.cat([module.cls.unsqueeze(0), tokens])
        valid = torch.ones(1, len(tokens), dtype=torch.bool)
        states = reference.transformer(module.layers, tokens.unsqueeze(0), valid, "both")[0]
        found.append(states[0] if module.readout == "cls" else states.mean(dim=0))
    return torch.stack(found)


@pytest.mark.parametrize("num_layers", [1, 2, 4])
@READOUTS
def test_vectors_and_gradients_equal_those_of_one_item_at_a_time(contents, readout, num_layers):
    module = build(readout, num_layers)
    slow, fast = slow_vectors(module, contents), module(contents)
    wanted = [*(tokens.vectors for tokens in contents), *module.parameters()]
    reference_fusions.assert_same_with_gradients(fast, slow, wanted)


@READOUTS
def test_without_gradients_vectors_are_the_same(contents, readout):
    module = build(readout).eval()
    with torch.no_grad():
        torch.testing.assert_close(module(contents), slow_vectors(module, contents))


@READOUTS
def test_an_item_without_tokens_has_the_state_of_the_learned_token_alone(contents, readout):
    module = build(readout)
    alone = module([RaggedTokens(torch.zeros(0, WIDTH, dtype=torch.float64), torch.tensor([0]))])
    torch.testing.assert_close(module(contents)[2:3], alone)
    assert alone.isfinite().all()


@READOUTS
@pytest.mark.parametrize("item", range(NUM_ITEMS))
def test_an_item_does_not_depend_on_its_batch(contents, readout, item):
    module = build(readout)
    alone = [
        RaggedTokens(tokens.vectors.split(tokens.counts.tolist())[item], tokens.counts[[item]])
        for tokens in contents
    ]
    torch.testing.assert_close(module(alone)[0], module(contents)[item])


@READOUTS
def test_nothing_but_the_tokens_tells_modalities_apart(contents, readout):
    module = build(readout)
    torch.testing.assert_close(module(contents[::-1]), module(contents))


@READOUTS
@pytest.mark.parametrize("lacking", [0, 1])
def test_a_modality_may_be_absent_from_all_items(contents, readout, lacking):
    module, none = build(readout), contents[lacking].counts * 0
    rest = [*contents]
    rest[lacking] = RaggedTokens(torch.zeros(0, WIDTH, dtype=torch.float64), none)
    torch.testing.assert_close(module(rest), slow_vectors(module, rest))
    torch.testing.assert_close(module(rest), module([contents[1 - lacking]]))


@pytest.mark.parametrize("kind", ["dropout", "attention_dropout"])
def test_either_dropout_acts_in_training_only(contents, kind):
    module = build("cls", **{kind: 0.4})
    assert not torch.equal(module(contents), module(contents))
    module.eval()
    torch.testing.assert_close(module(contents), slow_vectors(module, contents))


def test_weights_start_as_in_bert():
    torch.manual_seed(0)
    module = MergeAttention(
        embedding_dim=200,
        num_layers=2,
        num_heads=2,
        feedforward_dim=300,
        dropout=0.0,
        attention_dropout=0.0,
        readout="mean",
    )
    assert module.cls.std().item() == pytest.approx(0.02, rel=0.2)
    maps = [part for part in module.modules() if isinstance(part, nn.Linear)]
    assert len(maps) == 2 * 4
    for part in maps:
        assert part.weight.std().item() == pytest.approx(0.02, rel=0.02)
        assert not part.bias.any()
    norms = [part for part in module.modules() if isinstance(part, nn.LayerNorm)]
    assert [norm.eps for norm in norms] == [1e-12] * 4
    assert {layer.activation for layer in module.layers} == {"gelu"}
