"""MMSR: which tokens enter, what of the encoders is trained, what items become."""

import pyarrow as pa
import pytest
import torch
from torch import nn

from mmrec.features.token_table import TokenTable
from mmrec.models.items.last_blocks import led_through
from mmrec.models.items.tokens import GridConvolution, ItemTokens, TokenMap
from mmrec.nn.packing import Packing
from mmrec.recommender import inference
from mmrec.training.optimizer import build_optimizer
from tests.models import worlds
from tests.models.token_worlds import WIDTHS, blocks_of, token_table, tokens_of

BOTH = ["sum", "concat", "film", "gate", "merge_attention", "co_attention"]
ENCODERS = {
    "sasrec": {"name": "sasrec", "feedforward_dim": 16},
    "gru": {"name": "gru", "num_layers": 2},
    "nextitnet": {"name": "nextitnet", "dilations": [1, 2]},
}
WHOLE = torch.tensor([[1, 2, 4, 3], [6, 4, 2, 0], [5, 7, 8, 9]])


def world(num_blocks=0):
    features = {modality: tokens_of(modality, num_blocks) for modality in WIDTHS}
    found = worlds.data()
    return type(found)(**{**vars(found), "features": features})


def params(architecture=None, **finetune):
    small = {
        "embedding_dim": 8,
        "tune": "none",
        "encoder": ENCODERS["sasrec"],
        "fusion": {"name": "merge_attention", "num_heads": 2, "feedforward_dim": 16},
    }
    architecture = small | (architecture or {})
    return worlds.params("mmsr", architecture=architecture, finetune=finetune)


def built(architecture=None, num_blocks=0, **finetune):
    torch.manual_seed(0)
    return worlds.built(params(architecture, **finetune), world=world(num_blocks))


def fusion(name):
    attentive = {"num_heads": 2, "feedforward_dim": 16}
    return {"name": name} | (attentive if name.endswith("attention") else {"dnn": name != "sum"})


def losses(training):
    return training.objective(worlds.dense_batch(WHOLE))


@pytest.mark.parametrize("num_blocks", [0, 2])
@pytest.mark.parametrize("name", BOTH)
def test_an_item_is_the_same_alone_and_among_others(name, num_blocks):
    model, _ = built({"fusion": fusion(name)}, num_blocks)
    every = torch.arange(worlds.NUM_ITEMS)
    with inference(model):
        together = model.item_encoder.encode(every)
        alone = [model.item_encoder.encode(every[item : item + 1]) for item in every]
        backwards = model.item_encoder.encode(every.flip(0)).flip(0)
    torch.testing.assert_close(torch.cat(alone), together, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(backwards, together, rtol=1e-5, atol=1e-6)
    assert together.isfinite().all()
    assert len({tuple(row.tolist()) for row in together[1:7]}) == 6


@pytest.mark.parametrize("name", BOTH[:4])
def test_means_of_frozen_tokens_are_read_as_vectors(name):
    pooled, _ = built({"fusion": fusion(name)})
    each, _ = built({"fusion": fusion(name)}, num_blocks=1)
    assert not any(isinstance(part, ItemTokens) for part in pooled.modules())
    for part in (each.item_encoder.text, each.item_encoder.image):
        part.last_blocks = None
    own = dict(each.named_parameters())
    for parameter, value in pooled.named_parameters():
        renamed = parameter.replace(".head.", ".projection.output.")
        renamed = renamed.replace("item_encoder.fusion", "item_encoder.fusion.fusion")
        if renamed in own:
            own[renamed].data.copy_(value.data)
        else:
            assert parameter.endswith("features.missing")
    complete = torch.tensor([1, 2, 4, 6, 8, 9, 10, 11, 12])
    with inference(pooled), inference(each):
        found, expected = (one.item_encoder.encode(complete) for one in (pooled, each))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("arm", ["text", "image", "joint", "ids"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_arm_trains_with_every_sequence_encoder(arm, encoder):
    model, training = built({"modality": arm, "encoder": ENCODERS[encoder]})
    assert (model.item_parameters() == ("item_encoder.item_ids",)) == (arm == "ids")
    sum(losses(training).values()).backward()
    grads = {name: one.grad for name, one in training.objective.named_parameters()}
    # Positions that no sequence reaches, and items that none has, stay.
    assert all(grad is not None and grad.abs().sum() > 0 for grad in grads.values())


def test_joint_tokens_are_those_of_the_slot_of_text():
    settings = params({"modality": "joint"})
    assert settings.modalities("finetune") == ("text",)
    assert params({"modality": "ids"}).modalities("finetune") == ()


TUNED = {
    "none": set(),
    "top1": {"blocks.1", "norm"},
    "top2": {"blocks.0", "blocks.1", "norm"},
    "all": {"blocks.0", "blocks.1", "norm"},
}


@pytest.mark.parametrize("tune", TUNED)
def test_blocks_that_are_not_tuned_stay_bit_for_bit_and_drop_nothing(tune):
    model, training = built({"tune": tune}, num_blocks=2, weight_decay=0.1, learning_rate=0.1)
    text = model.item_encoder.text
    before = {name: one.clone() for name, one in text.last_blocks.state_dict().items()}
    optimizer = build_optimizer(
        training.objective, params({"tune": tune}).finetune, training.groups, stage="finetune"
    )
    training.objective.train()
    for part, module in text.last_blocks.named_children():
        for number, block in module.named_children():
            assert block.training == (f"{part}.{number}" in TUNED[tune])
    sum(losses(training).values()).backward()
    optimizer.step()
    moved = {
        name.rpartition(".")[0].removesuffix(".map")
        for name, one in text.last_blocks.state_dict().items()
        if not torch.equal(one, before[name])
    }
    assert moved == TUNED[tune]


def test_bottom10_trains_the_ten_lowest_of_twelve_and_nothing_else():
    model, _ = built({"tune": "bottom10"}, num_blocks=12)
    names = {
        name.rpartition(".map")[0] or name.partition(".")[0]
        for name, one in model.item_encoder.text.last_blocks.named_parameters()
        if one.requires_grad
    }
    assert names == {f"blocks.{number}" for number in range(10)}


def test_encoders_have_a_rate_and_a_decay_of_their_own():
    _, training = built({"tune": "top1"}, 2, encoder_learning_rate=3e-5)
    (group,) = training.groups
    prefixes = tuple(f"item_encoder.{modality}.last_blocks" for modality in WIDTHS)
    assert (group.prefixes, group.learning_rate, group.weight_decay) == (prefixes, 3e-5, 0)
    assert training.read == ("text 0", "image 0")
    assert built({"tune": "none"}, 2)[1].groups == ()


@pytest.mark.parametrize(
    ("tune", "num_blocks", "words"),
    [
        ("top1", 0, "the text feature has no blocks to train"),
        ("top2", 1, "tune: found top2, but the states enter 1 blocks"),
        ("bottom10", 2, "tune: found bottom10, but the states enter 2 blocks"),
    ],
)
def test_blocks_that_are_not_there_are_no_blocks_to_train(tune, num_blocks, words):
    with pytest.raises(ValueError, match=words):
        built({"tune": tune}, num_blocks)


def test_blocks_of_two_towers_are_tuned_whole_or_not_at_all():
    towers = nn.ModuleDict({"image": blocks_of("text", 2), "text": blocks_of("text", 2)})
    for tune in ("none", "all"):
        ItemTokens(token_table("text"), TokenMap(6, 4), towers, tune)
    with pytest.raises(ValueError, match="the blocks of this encoder are of several parts"):
        ItemTokens(token_table("text"), TokenMap(6, 4), towers, "top2")


class Shrinking(nn.Module):
    """Blocks that add a token in front, or leave every other one, and widen all."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def forward(self, states, mask=None):
        assert mask is None or self.step == 0
        if self.step:
            states = states[:, :: self.step]
        else:
            states = torch.cat([states[:, :1] * 0 + 9, states], dim=1)
        return torch.cat([states, states], dim=2)


@pytest.mark.parametrize(("modality", "step"), [("text", 0), ("image", 2), ("image", 4)])
def test_blocks_may_change_how_many_tokens_there_are_and_how_wide(modality, step):
    table, items = token_table(modality), torch.tensor([4, 1, 7, 12, 3, 6])
    tokens, blocks = table.gather(items), Shrinking(step)
    found = led_through(blocks, tokens, width=2 * table.dim)
    expected = [
        blocks(table.gather(item.view(1)).values.unsqueeze(0))[0]
        for item in items
        if table.counts[item]
    ]
    assert found.lengths.tolist() == [len(one) for one in expected]
    assert torch.equal(found.values, torch.cat(expected))
    assert torch.equal(found.counts, tokens.counts)


def test_a_batch_without_contents_leaves_gradients_of_zeros():
    blocks = blocks_of("text", 1)
    found = led_through(blocks, token_table("text").gather(torch.tensor([3, 7])), width=6)
    assert found.values.shape == (0, 6)
    found.values.sum().backward()
    assert all(one.grad is not None and not one.grad.any() for one in blocks.parameters())


def test_a_grid_is_convolved_in_its_place_and_nothing_is_below_zero():
    torch.manual_seed(0)
    convolution = GridConvolution(5, 3)
    tokens = token_table("image").gather(torch.tensor([1, 5, 6]))
    found = convolution(tokens)
    for content, own in enumerate(tokens.values.split(4)):
        padded = torch.zeros(4, 4, 5)
        padded[1:3, 1:3] = own.view(2, 2, 5)
        for row in range(2):
            for column in range(2):
                window = padded[row : row + 3, column : column + 3]
                weights = convolution.output.weight.permute(0, 2, 3, 1)
                expected = (weights * window).sum(dim=(1, 2, 3)).relu()
                torch.testing.assert_close(found[4 * content + 2 * row + column], expected)
    with pytest.raises(ValueError, match="reads the square grid of a picture, found 3 tokens"):
        GridConvolution(6, 3)(token_table("text").gather(torch.tensor([1])))


def test_the_convolution_is_for_pictures_alone():
    model, _ = built({"image_projection": "convolution"})
    assert isinstance(model.item_encoder.text.projection, TokenMap)
    assert isinstance(model.item_encoder.image.projection, GridConvolution)


def test_positions_are_those_of_sequences_padded_on_the_left():
    model, _ = built()
    encoder, length = model.sequence_encoder, model.max_sequence_length
    items = torch.tensor([[1, 2, 4, 6, 8], [9, 4, 0, 0, 0]])
    with inference(model):
        table = model.item_table()
        found = model.encode(worlds.history(items))
        for row, state in zip(items, found, strict=True):
            own = row[row > 0]
            inputs = table[own] + encoder.positions[length - len(own) :]
            states = encoder.layers(encoder.normed(inputs).unsqueeze(0), Packing.of(own[None]))
            torch.testing.assert_close(state, states[0, -1], rtol=1e-5, atol=1e-6)
        by_table = model.encode_by(table, worlds.history(items))
    torch.testing.assert_close(by_table, found, rtol=1e-5, atol=1e-6)


def test_the_catalogue_is_encoded_once_to_rank_everybody(monkeypatch):
    model, _ = built(num_blocks=2)
    gathered = []
    gather = TokenTable.gather

    def recorded(table, items):
        gathered.append(len(items))
        return gather(table, items)

    monkeypatch.setattr(TokenTable, "gather", recorded)
    monkeypatch.setattr(model.item_encoder, "items_at_once", 5)
    scores = worlds.scores(model, WHOLE)
    assert gathered == [5, 5, 5, 5, 3, 3]  # of text and of pictures
    assert scores[:, 1:].isfinite().all()


def test_items_that_are_encoded_together_are_bounded_by_their_tokens(monkeypatch):
    monkeypatch.setattr("mmrec.models.items.tokens.TOKENS_AT_ONCE", 30)
    assert built()[0].item_encoder.items_at_once == 30 // (7 + 4)


@pytest.mark.parametrize("name", ["sum", "merge_attention"])
def test_items_that_are_computed_again_give_the_same_gradients(name, monkeypatch):
    found = []
    for values in (1 << 21, 3 * (7 + 4) * 8):  # all, or three items of the most tokens
        monkeypatch.setattr("mmrec.models.items.tokens.STATES_KEPT", values)
        model, training = built({"fusion": fusion(name), "tune": "top1"}, num_blocks=1)
        model.eval()
        torch.manual_seed(5)
        loss = losses(training)["next_item"]
        loss.backward()
        gradients = {key: one.grad for key, one in model.named_parameters() if one.requires_grad}
        found.append((model.item_encoder.items_kept, loss.detach(), gradients))
    (every, *whole), (few, *again) = found
    assert (every > 100, few) == (True, 3)
    torch.testing.assert_close(again, whole, rtol=1e-4, atol=1e-6)


def test_what_is_kept_of_a_token_is_as_wide_as_what_is_trained(monkeypatch):
    monkeypatch.setattr("mmrec.models.items.tokens.STATES_KEPT", 24 * (7 + 4))
    for tune, width, kept in (("top1", 4, 24 // 6), ("none", 4, 24 // 4), ("top1", 12, 24 // 12)):
        model, _ = built({"embedding_dim": width, "tune": tune}, num_blocks=1)
        assert model.item_encoder.items_kept == kept


def test_features_of_another_catalogue_are_refused():
    found = world()
    items = pa.table({"item_id": [f"i{item}" for item in range(20)]})
    other = type(found)(**{**vars(found), "items": items})
    with pytest.raises(ValueError, match="text features are of 13 items, the catalogue has 21"):
        worlds.built(params(), world=other)
