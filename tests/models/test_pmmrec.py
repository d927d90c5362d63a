"""PMMRec: which tokens make an item, what one step computes, what positions are."""

import re

import pytest
import torch
from pydantic import ValidationError

from mmrec.features.token_table import PackedTokens, TokenTable
from mmrec.models.items.tokens import ItemTokens
from mmrec.models.pmmrec.items import chosen
from mmrec.models.pmmrec.pretraining import PmmrecObjective
from mmrec.nn.sequence_encoder import SequenceEncoder
from mmrec.recommender import inference
from tests import reference
from tests.models import worlds
from tests.models.token_worlds import TOKENS, WIDTHS, tokens_of

WHOLE = torch.tensor([[1, 2, 4, 3], [6, 4, 2, 0], [5, 7, 8, 9], [10, 11, 12, 0]])
EVERY = torch.arange(worlds.NUM_ITEMS)
WITHOUT_TEXT, WITHOUT_IMAGE = [0, 3, 7], [0, 5, 7]


def world(num_blocks=0):
    features = {modality: tokens_of(modality, num_blocks) for modality in WIDTHS}
    found = worlds.data()
    return type(found)(**{**vars(found), "features": features})


def params(architecture=None, pretrain=None, **finetune):
    return worlds.params(
        "pmmrec", architecture=architecture or {}, pretrain=pretrain or {}, finetune=finetune
    )


def built(settings, stage="pretrain", num_blocks=0, given=None):
    torch.manual_seed(0)
    return worlds.built(settings, stage, given or world(num_blocks))


def projected(model, modality, item):
    """Tokens of an item behind its map, [t, D]."""
    return model.item_encoder.get_submodule(modality)(torch.tensor([item])).vectors


def test_tokens_are_chosen_content_by_content():
    # Item 0 has contents of 3 and 2 tokens, item 1 none, item 2 one of a single token.
    values = torch.arange(6.0).unsqueeze(1)
    packed = PackedTokens(values, torch.tensor([3, 2, 1]), torch.tensor([2, 0, 1]))
    found = {}
    for which in ("all", "class", "others"):
        vectors, counts = chosen(packed, which)
        found[which] = [part.flatten().tolist() for part in vectors.split(counts.tolist())]
    assert found == {
        "all": [[0, 1, 2, 3, 4], [], [5]],
        "class": [[0], [], [5]],
        "others": [[1, 2, 4], [], [5]],
    }


@pytest.mark.parametrize("num_blocks", [0, 2])
@pytest.mark.parametrize("readout", ["cls", "mean"])
def test_an_item_is_the_same_alone_among_others_and_beside_its_modalities(readout, num_blocks):
    model, _ = built(
        params({"fusion": {"num_heads": 2, "readout": readout}}), "pretrain", num_blocks
    )
    with inference(model):
        together = model.item_encoder.encode(EVERY)
        alone = torch.cat([model.item_encoder.encode(EVERY[i : i + 1]) for i in EVERY])
        beside = model.item_encoder.encode_with_modalities(EVERY)
    torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(beside[:, 0], together, rtol=1e-5, atol=1e-6)
    assert len({tuple(row.tolist()) for row in together[[1, 2, 4, 6, 8]]}) == 5


@pytest.mark.parametrize("kind", ["first_token", "mean"])
def test_a_modality_alone_is_its_class_token_or_its_mean_and_zero_without(kind):
    model, _ = built(params({"text_cls": kind, "image_cls": kind}))
    with inference(model):
        _, text, image = model.item_encoder.encode_with_modalities(EVERY).unbind(dim=1)
        for modality, found, without in (
            ("text", text, WITHOUT_TEXT),
            ("image", image, WITHOUT_IMAGE),
        ):
            for item in EVERY.tolist():
                tokens = projected(model, modality, item)
                if item in without:
                    assert not len(tokens)
                    assert not found[item].any()
                else:
                    expected = tokens[0] if kind == "first_token" else tokens.mean(dim=0)
                    torch.testing.assert_close(found[item], expected)
            there = model.item_encoder.are_there(modality, EVERY)
            assert (~there).nonzero().flatten().tolist() == without


@pytest.mark.parametrize(
    ("readout", "kind", "fused"),
    [("cls", "first_token", "others"), ("cls", "mean", "all"), ("mean", "first_token", "all")],
)
def test_the_fusion_reads_all_tokens_or_all_but_class_tokens(readout, kind, fused):
    architecture = {"fusion": {"num_heads": 2, "readout": readout}}
    model, _ = built(params(architecture | {"text_cls": kind, "image_cls": kind}))
    fusion = model.item_encoder.fusion
    first = 1 if fused == "others" else 0
    with inference(model):
        vectors = model.item_encoder.encode(EVERY)
        for item in (1, 4, 9):
            parts = [projected(model, modality, item) for modality in ("text", "image")]
            parts = [part[first if len(part) > 1 else 0 :] for part in parts]
            tokens = torch.cat([fusion.cls.unsqueeze(0)] * (readout == "cls") + parts).unsqueeze(0)
            real = torch.ones(1, tokens.shape[1], dtype=torch.bool)
            states = reference.transformer(fusion.layers, tokens, real, "both")[0]
            expected = states[0] if readout == "cls" else states.mean(dim=0)
            torch.testing.assert_close(vectors[item], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("modality", ["text", "image"])
@pytest.mark.parametrize("readout", ["mean", "cls"])
def test_of_one_modality_an_item_is_a_mean_or_its_class_token(modality, readout):
    model, _ = built(params(modality=modality, modal_readout=readout), "finetune")
    absent = model.item_encoder.fusion.absent[0]
    with inference(model):
        vectors = model.item_encoder.encode(EVERY)
        for item, num_tokens in enumerate([0, *TOKENS[modality]]):
            tokens = projected(model, modality, item)
            expected = absent
            if num_tokens:
                expected = tokens.mean(dim=0) if readout == "mean" else tokens[0]
            torch.testing.assert_close(vectors[item], expected)
    parts = {name.split(".")[1] for name in model.state_dict() if name.startswith("item_encoder.")}
    assert parts == {modality, "fusion"}


def test_a_feature_of_vectors_is_token_and_class_token_at_once():
    model, _ = built(params(), given=worlds.data())
    with inference(model):
        _, text, image = model.item_encoder.encode_with_modalities(EVERY).unbind(dim=1)
        for modality, found in (("text", text), ("image", image)):
            tokens = projected(model, modality, 4)
            torch.testing.assert_close(found[4], tokens[0])
            assert len(
                chosen(model.item_encoder.get_submodule(modality).packed(EVERY), "others")[0]
            )


def test_a_step_encodes_each_item_once_and_reads_sequences_twice(monkeypatch):
    model, training = built(params({"tune": "top1"}), num_blocks=1)
    gathered, encoded = [], []
    gather, forward = TokenTable.gather, SequenceEncoder.forward

    def recorded(table, items):
        gathered.append(items.tolist())
        return gather(table, items)

    def counted(encoder, inputs, *arguments, **keywords):
        encoded.append(len(inputs[0]))
        return forward(encoder, inputs, *arguments, **keywords)

    monkeypatch.setattr(TokenTable, "gather", recorded)
    monkeypatch.setattr(SequenceEncoder, "forward", counted)
    assert model.item_encoder.items_kept > worlds.NUM_ITEMS
    losses = training.objective(worlds.dense_batch(WHOLE))
    assert list(losses) == ["dap", "contrast", "nid", "rcl"]
    assert gathered == [list(range(1, 13))] * 2  # text, pictures
    assert encoded == [10, 10]


LEFT_OUT = [
    ({"contrast": "none"}, ["dap", "nid", "rcl"]),
    ({"contrast_weight": 0.0}, ["dap", "nid", "rcl"]),
    ({"nid_weight": 0.0}, ["dap", "contrast", "rcl"]),
    ({"rcl_weight": 0.0}, ["dap", "contrast", "nid"]),
    ({"contrast": "none", "nid_weight": 0.0, "rcl_weight": 0.0}, ["dap"]),
]


@pytest.mark.parametrize(("losses", "names"), LEFT_OUT)
def test_a_loss_without_weight_is_not_computed(losses, names):
    _, training = built(params(pretrain={"losses": losses}))
    found = training.objective(worlds.dense_batch(WHOLE))
    assert list(found) == names
    assert ("nid.output.weight" in training.objective.state_dict()) == ("nid" in names)


@pytest.mark.parametrize("term", ["dap", "contrast", "nid", "rcl"])
def test_a_weight_scales_its_loss_and_no_other(term):
    found = []
    for weight in (1.0, 0.25):
        _, training = built(params(pretrain={"losses": {f"{term}_weight": weight}}))
        training.objective.eval()
        torch.manual_seed(1)
        found.append(training.objective(worlds.dense_batch(WHOLE)))
    for name, whole in found[0].items():
        expected = whole * (0.25 if name == term else 1)
        torch.testing.assert_close(found[1][name], expected)


def test_dap_is_what_fine_tuning_alone_trains():
    settings = params(joint={})
    model, joint = built(settings, "finetune")
    alone = worlds.objective(params(), model, "finetune", world())
    with inference(joint.objective):
        batch = worlds.dense_batch(WHOLE)
        torch.testing.assert_close(joint.objective(batch)["dap"], alone(batch)["next_item"])
    assert isinstance(joint.objective, PmmrecObjective)


def test_one_modality_has_no_contrast():
    _, training = built(params(modality="text", joint={}), "finetune")
    assert list(training.objective(worlds.dense_batch(WHOLE))) == ["dap", "nid", "rcl"]


def test_a_row_that_trains_nothing_changes_no_loss_but_by_its_absence():
    """What several processes hold that have no row of a batch."""
    _, training = built(params())
    training.objective.eval()
    found = []
    for rows in (WHOLE, torch.cat([WHOLE, torch.tensor([[3, 0, 0, 0]])])):
        torch.manual_seed(1)
        items, targets = rows[:, :-1], rows[:, 1:]
        found.append(training.objective(worlds.Batch(items, targets)))
    for name, loss in found[0].items():
        torch.testing.assert_close(found[1][name], loss, rtol=1e-5, atol=1e-6)


def test_items_without_text_picture_or_both_never_make_a_nan():
    model, training = built(params({"tune": "top1"}), num_blocks=1)
    for whole in ([[3, 5, 7, 3], [7, 7, 5, 0]], [[7, 7, 0, 0], [7, 7, 7, 0]]):
        model.zero_grad()
        losses = training.objective(worlds.dense_batch(torch.tensor(whole)))
        sum(losses.values()).backward()
        assert all(loss.isfinite() for loss in losses.values())
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, name
                assert parameter.grad.isfinite().all(), name
    assert worlds.scores(model, WHOLE)[:, 1:].isfinite().all()


def test_items_that_are_computed_again_give_the_same_gradients(monkeypatch):
    found = []
    for values in (1 << 21, 3 * (7 + 4) * 8):  # all, or three items of the most tokens
        monkeypatch.setattr("mmrec.models.items.tokens.STATES_KEPT", values)
        model, training = built(params({"tune": "top1"}), num_blocks=1)
        training.objective.eval()
        torch.manual_seed(5)
        losses = training.objective(worlds.dense_batch(WHOLE))
        sum(losses.values()).backward()
        gradients = {key: one.grad for key, one in model.named_parameters() if one.requires_grad}
        detached = {name: loss.detach() for name, loss in losses.items()}
        found.append((model.item_encoder.items_kept, detached, gradients))
    (every, *whole), (few, *again) = found
    assert (every > 100, few) == (True, 3)
    torch.testing.assert_close(again, whole, rtol=1e-4, atol=1e-6)


def test_states_are_those_of_sequences_padded_on_the_left():
    architecture = {"encoder": {"feedforward_dim": 16, "num_layers": 2}}
    model, _ = built(params(architecture))
    length = model.max_sequence_length
    items = torch.tensor([[1, 2, 4, 6, 8], [9, 4, 0, 0, 0], [3, 0, 0, 0, 0]])
    with inference(model):
        model.double()
        table = model.item_table()
        encoded = model.encode_batch(items, EVERY[1:], modalities=False)
        packing, found = encoded.packing, {}
        for token, (row, column) in enumerate(
            zip(packing.sequences.tolist(), packing.columns.tolist(), strict=True)
        ):
            found[row, column] = encoded.states[token]
        left = torch.zeros(len(items), length, dtype=torch.int64)
        lengths = (items > 0).sum(dim=1).tolist()
        for row, size in enumerate(lengths):
            left[row, length - size :] = items[row, :size]
        encoder = model.sequence_encoder
        states = reference.sequence_encoder(encoder, table[left], left > 0)
        for row, size in enumerate(lengths):
            for column in range(size):
                expected = states[row, length - size + column]
                torch.testing.assert_close(found[row, column], expected, rtol=0, atol=1e-6)
            last = worlds.queries(model, items[row : row + 1])[0]
            torch.testing.assert_close(last, states[row, -1], rtol=0, atol=1e-6)
    assert model.anchor == "end"


def test_padding_never_enters_any_loss():
    _, training = built(params())
    training.objective.eval()
    found = []
    for rows in (WHOLE, torch.nn.functional.pad(WHOLE, (0, 3))):
        batch = worlds.dense_batch(rows)
        draws = torch.rand(len(WHOLE), 64, generator=torch.Generator().manual_seed(2))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mmrec.models.pmmrec.pretraining.Draws.of", same_draws(draws))
            found.append(training.objective(batch))
    for name, loss in found[0].items():
        torch.testing.assert_close(found[1][name], loss, rtol=1e-5, atol=1e-6)


def same_draws(draws):
    """Random numbers that do not depend on how wide the rows are."""
    from mmrec.models.pmmrec.corruption import Draws

    def of(items, batch):
        length = items.shape[1]
        halves = draws[:, 16 : 16 + length // 2]
        return Draws(draws[:, :length], halves, draws[:, 32], draws[:, 40 : 40 + length])

    return of


def test_encoders_have_a_rate_and_a_decay_of_their_own():
    _, training = built(params({"tune": "top1"}, {"encoder_learning_rate": 3e-5}), num_blocks=2)
    (group,) = training.groups
    prefixes = tuple(f"item_encoder.{modality}.last_blocks" for modality in WIDTHS)
    assert (group.prefixes, group.learning_rate, group.weight_decay) == (prefixes, 3e-5, 0)
    assert training.read == ("text 0", "image 0")
    assert built(params(), num_blocks=2)[1].groups == ()
    streams = [one for one in training.objective.modules() if isinstance(one, ItemTokens)]
    assert [one.is_tuned for one in streams] == [True, True]


@pytest.mark.parametrize(
    ("finetune", "words"),
    [
        ({"joint": {}, "loss": {"name": "full"}}, "one of its terms is the loss in_batch_seq"),
        ({"joint": {"shuffle_share": 0.8, "replace_share": 0.3}}, "add up to 1 at most"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(finetune, words):
    with pytest.raises(ValidationError, match=words):
        params(**finetune)


@pytest.mark.parametrize(
    ("changes", "finetune", "reason"),
    [
        ({}, {}, None),
        ({}, {"modality": "text", "take": "text"}, None),
        ({}, {"modality": "text", "take": "full"}, None),
        ({}, {"modality": "text", "take": "image"}, "it takes image and reads text"),
        ({}, {"modality": "image", "take": "text"}, "it takes text and reads image"),
        ({"fusion": {"num_heads": 1}}, {}, r"different architectures \(fusion\)"),
        ({"fusion": {"num_heads": 1}}, {"take": "users"}, None),
        ({"fusion": {"num_heads": 1}}, {"take": "items"}, r"\(fusion\)"),
        ({"fusion": {"num_heads": 1}}, {"take": "text", "modality": "text"}, None),
        ({"encoder": {"num_layers": 1}}, {"take": "items"}, None),
        ({"encoder": {"num_layers": 1}}, {"take": "users"}, r"\(encoder\)"),
        ({"embedding_dim": 16}, {"take": "users"}, r"\(embedding_dim\)"),
    ],
)
def test_a_run_takes_what_has_the_same_architecture(changes, finetune, reason):
    found = params(**finetune).takes(params(changes))
    assert found is None if reason is None else re.search(reason, found)


def test_another_kind_of_model_gives_nothing():
    assert "that is a mmsr, this a pmmrec" in params().takes(worlds.params("mmsr"))
