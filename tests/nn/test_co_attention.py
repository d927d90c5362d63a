import pytest
import torch
from torch import nn

from mmrec.nn.co_attention import CoAttention, CrossAttention
from mmrec.nn.merge_attention import RaggedTokens
from mmrec.nn.packing import Packing
from tests import reference_fusions

# Tokens of each item: text, image. Items 1 and 5 lack a modality, item 2 both; item 3 has one
# token of each; the last three are padded together, in both streams.
COUNTS = [[3, 0, 0, 1, 70, 6, 5, 8, 7], [2, 4, 0, 1, 5, 0, 17, 29, 20]]
NUM_ITEMS = len(COUNTS[0])
WIDTH = 6
LAYERS = pytest.mark.parametrize("num_layers", [1, 2])


def build(num_layers=1, **settings):
    """With weights that are far from their initialisation."""
    torch.manual_seed(0)
    dropouts = {"dropout": 0.0, "attention_dropout": 0.0} | settings
    module = CoAttention(
        embedding_dim=WIDTH, num_layers=num_layers, num_heads=3, feedforward_dim=11, **dropouts
    ).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4)
    return module


def contents_of(counts):
    return [
        RaggedTokens(
            torch.randn(sum(own), WIDTH, dtype=torch.float64, requires_grad=True),
            torch.tensor(own),
        )
        for own in counts
    ]


@pytest.fixture
def contents():
    torch.manual_seed(1)
    return contents_of(COUNTS)


def tokens_of(contents, item):
    """Text tokens and image tokens of one item."""
    return [tokens.vectors.split(tokens.counts.tolist())[item] for tokens in contents]


def chosen(contents, items):
    """The contents of these items, in that order."""
    return [
        RaggedTokens(
            torch.cat([tokens.vectors.split(tokens.counts.tolist())[item] for item in items]),
            tokens.counts[items],
        )
        for tokens in contents
    ]


def slow_vectors(module, contents):
    return torch.stack(
        [
            reference_fusions.co_attention(module, *tokens_of(contents, item))
            for item in range(len(contents[0].counts))
        ]
    )


@LAYERS
def test_vectors_and_gradients_equal_those_of_one_item_at_a_time(contents, num_layers):
    module = build(num_layers)
    slow, fast = slow_vectors(module, contents), module(contents)
    wanted = [*(tokens.vectors for tokens in contents), *module.parameters()]
    reference_fusions.assert_same_with_gradients(fast, slow, wanted)


@LAYERS
def test_without_gradients_vectors_are_the_same(contents, num_layers):
    module = build(num_layers).eval()
    with torch.no_grad():
        torch.testing.assert_close(module(contents), slow_vectors(module, contents))


def test_every_token_counts(contents):
    fused = build()(contents)
    weight = torch.randn_like(fused)
    for tokens in contents:
        (gradient,) = torch.autograd.grad((fused * weight).sum(), tokens.vectors, retain_graph=True)
        assert gradient.abs().amax(dim=1).min() > 0


@pytest.mark.parametrize("item", range(NUM_ITEMS))
def test_an_item_does_not_depend_on_its_batch(contents, item):
    module = build(2)
    alone = module(chosen(contents, [item]))
    assert alone.shape == (1, WIDTH)
    torch.testing.assert_close(alone[0], module(contents)[item])


def test_items_may_come_in_any_order(contents):
    module, order = build(2), torch.randperm(NUM_ITEMS).tolist()
    torch.testing.assert_close(module(chosen(contents, order)), module(contents)[order])


def test_a_modality_that_an_item_lacks_is_a_learned_token(contents):
    module = build()
    given = [
        RaggedTokens(
            torch.cat([module.absent[:1], *tokens_of(contents, 1)[:1]]), torch.tensor([1])
        ),
        chosen(contents, [1])[1],
    ]
    torch.testing.assert_close(module(given)[0], module(contents)[1])
    neither = [RaggedTokens(module.absent[row : row + 1], torch.tensor([1])) for row in (0, 1)]
    torch.testing.assert_close(module(neither)[0], module(contents)[2])


@pytest.mark.parametrize("lacking", [0, 1])
def test_a_modality_may_be_absent_from_all_items(lacking):
    counts = [[3, 1, 9], [3, 1, 9]]
    counts[lacking] = [0, 0, 0]
    module, contents = build(), contents_of(counts)
    fused = module(contents)
    torch.testing.assert_close(fused, slow_vectors(module, contents))
    (gradient,) = torch.autograd.grad(fused.sum(), [module.absent])
    assert gradient.abs().amax(dim=1).gt(0).tolist() == [lacking == 0, lacking == 1]


def test_stand_ins_have_a_gradient_where_nothing_is_absent():
    module, contents = build(), contents_of([[2, 1], [1, 3]])
    (gradient,) = torch.autograd.grad(module(contents).sum(), [module.absent])
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_text_and_image_have_parts_of_their_own(contents):
    module = build()
    difference = (module(contents) - module(contents[::-1])).abs().amax(dim=1)
    has_any = contents[0].counts + contents[1].counts > 0
    assert difference[has_any].min() > 0.01


def test_the_order_of_tokens_tells_nothing(contents):
    module = build(2)
    turned = [
        RaggedTokens(
            torch.cat([tokens_of(contents, item)[row].flip(0) for item in range(NUM_ITEMS)]),
            contents[row].counts,
        )
        for row in (0, 1)
    ]
    torch.testing.assert_close(module(turned), module(contents))


def test_a_block_has_one_cross_attention_for_both_directions_and_the_rest_twice():
    module = build(3)
    assert len([part for part in module.modules() if isinstance(part, CrossAttention)]) == 3
    attention = 4 * (WIDTH * WIDTH + WIDTH)
    feedforward = 2 * WIDTH * 11 + 11 + WIDTH
    norm = 2 * WIDTH
    block = attention + norm + 2 * (attention + norm + feedforward + norm)
    whole = 3 * block + 2 * WIDTH + 2 * WIDTH + 2 * WIDTH * WIDTH + WIDTH
    assert sum(parameter.numel() for parameter in module.parameters()) == whole


@pytest.mark.parametrize("kind", ["dropout", "attention_dropout"])
def test_either_dropout_acts_in_training_only(contents, kind):
    module = build(**{kind: 0.4})
    assert not torch.equal(module(contents), module(contents))
    module.eval()
    torch.testing.assert_close(module(contents), slow_vectors(module, contents))


@pytest.mark.parametrize("kind", ["dropout", "attention_dropout"])
def test_either_dropout_acts_on_what_each_stream_finds_in_the_other(kind):
    """What follows the cross-attention has none here."""
    (block,) = build(**{kind: 0.4}).layers
    for layer in (block.text, block.image):
        layer.dropout = layer.attention.attention_dropout = 0.0
    packings = Packing.of_pairs(torch.tensor([5, 9]), torch.tensor([7, 3]))
    text, image = (torch.randn(1, length, WIDTH, dtype=torch.float64) for length in (14, 10))
    first, second = block(text, image, packings), block(text, image, packings)
    for one, other in zip(first, second, strict=True):
        assert (one - other).abs().amax(dim=2).gt(0).float().mean() > 0.5


def test_weights_start_as_in_bert():
    torch.manual_seed(0)
    module = CoAttention(
        embedding_dim=200,
        num_layers=1,
        num_heads=2,
        feedforward_dim=300,
        dropout=0.0,
        attention_dropout=0.0,
    )
    maps = [part for part in module.modules() if isinstance(part, nn.Linear)]
    assert len(maps) == 2 + 2 * 4 + 1
    for part in maps:
        assert part.weight.std().item() == pytest.approx(0.02, rel=0.02)
        assert not part.bias.any()
    for vectors in (module.types, module.absent):
        assert vectors.shape == (2, 200)
        assert vectors.std().item() == pytest.approx(0.02, rel=0.2)
    norms = [part for part in module.modules() if isinstance(part, nn.LayerNorm)]
    assert [norm.eps for norm in norms] == [1e-12] * 5
    (block,) = module.layers
    assert block.text.activation == block.image.activation == "gelu"


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match=r"embedding_dim \(10\).*num_heads \(4\)"):
        CrossAttention(10, 4, 0.0)
