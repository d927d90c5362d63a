import pytest
import torch
import torch.nn.functional as F

from tests import reference
from tests.models import worlds

LENGTHS = [4, 9, 1, 2, 6]


def build(stage="finetune", text=None, image=None, **changes):
    return worlds.recommender(worlds.params("mp4sr", **changes), stage, worlds.data(text, image))


def slow_streams(model):
    """Item vectors of each modality, one item at a time."""
    streams = []
    for name, features in model.item_encoder.features.items():
        pooling, adaptor = model.item_encoder.pooling[name], model.item_encoder.adaptor[name]
        rows = []
        for item in range(model.num_items):
            own = features.vectors[features.offsets[item] : features.offsets[item + 1]]
            zero = own.new_zeros(())
            pooled = features.missing
            if len(own):
                pooled = reference.attention_pooling(own, pooling.hidden, zero, pooling.score, zero)
            rows.append(reference.mixture_of_experts(pooled, adaptor))
        ids = 0 if model.item_ids is None else model.item_ids
        streams.append(torch.stack(rows) + ids)
    return streams


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("use_id", [True, False])
def test_scores_equal_the_paper_written_out(use_id, similarity):
    architecture = {"score": similarity, "temperature": 0.2}
    model = build(architecture=architecture, finetune={"use_id": use_id}).double().eval()
    history = torch.tensor([[4, 7, 2, 11]])
    expected = torch.zeros(worlds.NUM_ITEMS, dtype=torch.float64)
    for stream in slow_streams(model):
        valid = torch.ones(1, 4, dtype=torch.bool)
        state = reference.sequence_encoder(model.sequence_encoder, stream[history], valid)[0, -1]
        similar = F.cosine_similarity(state, stream, dim=1) / 0.2
        expected += similar if similarity == "cosine" else stream @ state
    scores = worlds.scores(model, history)
    torch.testing.assert_close(scores[0, 1:], expected[1:].detach())


def test_what_was_trained_by_inner_products_may_be_ranked_by_cosines():
    dot, both, cosine = (
        build(architecture={"score": score}).double().eval()
        for score in ("dot", "dot_then_cosine", "cosine")
    )
    for model in (both, cosine):
        model.load_state_dict(dot.state_dict())
    history = torch.tensor([[4, 7, 2, 11]])
    torch.testing.assert_close(
        worlds.scores(both, history)[:, 1:], worlds.scores(cosine, history)[:, 1:]
    )
    losses = []
    for model in (dot, both):
        objective = worlds.objective(worlds.params("mp4sr"), model)
        losses.append(objective(worlds.dense_batch(worlds.sequences(LENGTHS)))["next_item"])
    torch.testing.assert_close(*losses)


def test_a_draw_for_each_place_is_the_adaptor_run_for_each_place():
    encoder = build(architecture={"expert_dropout": 0.5}).double().train().item_encoder
    items = torch.tensor([4, 7, 4, 3, 4, 7])  # 3 and 7 have no text
    features, adaptor = encoder.features["text"], encoder.adaptor["text"]
    pooled = [
        encoder.pooling["text"](features.rows_of(item.view(1)).segments, 4, torch.float64)
        for item in items
    ]
    pooled = torch.cat([one if len(one) else features.missing.unsqueeze(0) for one in pooled])
    torch.manual_seed(5)
    slow = adaptor(pooled)
    torch.manual_seed(5)
    fast = encoder.encode_each("text", items)
    torch.testing.assert_close(fast, slow)
    assert len(fast.unique(dim=0)) == len(items)
    weight, trained = torch.randn_like(slow), list(encoder.parameters())
    gradients = [
        torch.autograd.grad((found * weight).sum(), trained, allow_unused=True)
        for found in (fast, slow)
    ]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("loss", ["full", "in_batch"])
def test_places_that_draw_are_inputs_and_candidates_draw_once_more(loss, monkeypatch):
    """With a draw of a known amount in the place of dropout."""
    architecture = {"expert_draws": "place", "expert_dropout": 0.0, "score": "dot"}
    architecture |= {"dropout": 0.0, "attention_dropout": 0.0}
    model = build(architecture=architecture).double().train()
    whole = torch.tensor([[4, 7, 4, 11, 2]])
    drawn = {name: torch.randn(4, 8, dtype=torch.float64) for name in ("text", "image")}
    encode = model.item_encoder.encode
    monkeypatch.setattr(
        model.item_encoder, "encode_each", lambda name, items: encode(name, items) + drawn[name]
    )
    logits = 0
    for name, stream in zip(drawn, slow_streams(model), strict=True):
        inputs, valid = stream[whole[:, :-1]] + drawn[name], torch.ones(1, 4, dtype=torch.bool)
        states = reference.sequence_encoder(model.sequence_encoder, inputs, valid)[0]
        logits = logits + states @ stream.T
    targets = whole[0, 1:]
    candidates = torch.arange(1, worlds.NUM_ITEMS) if loss == "full" else targets.unique()
    places = torch.searchsorted(candidates, targets)
    expected = F.cross_entropy(logits[:, candidates], places)
    settings = {"loss": {"name": loss} | ({} if loss == "full" else {"correction": False})}
    objective = worlds.objective(worlds.params("mp4sr", finetune=settings), model)
    torch.testing.assert_close(objective(worlds.dense_batch(whole))["next_item"], expected)


@pytest.mark.parametrize("branch", ["text", "image"])
def test_a_single_branch_is_one_of_the_two_streams(branch):
    both, single = build(), build(finetune={"score_branches": branch})
    single.load_state_dict(both.state_dict())
    half = slice(0, 8) if branch == "text" else slice(8, 16)
    items = worlds.sequences(LENGTHS)
    torch.testing.assert_close(single.item_table(), both.item_table()[:, half])
    torch.testing.assert_close(worlds.queries(single, items), worlds.queries(both, items)[:, half])


def test_pre_training_scores_with_both_branches_and_without_ids():
    model = build("pretrain", finetune={"score_branches": "text", "use_id": True})
    assert model.scored == ("text", "image")
    assert model.item_ids is None


def test_the_shared_adaptor_is_one_for_both_modalities():
    wide = {"text": worlds.table([1] * 12, dim=6), "image": worlds.table([2] * 12, dim=6)}
    shared = build(**wide, architecture={"shared_adaptor": True})
    apart = build(**wide)
    assert set(shared.item_encoder.adaptor) == {"shared"}
    assert set(apart.item_encoder.adaptor) == {"text", "image"}
    assert shared.item_table().isfinite().all()
    count = [
        sum(p.numel() for p in model.item_encoder.adaptor.parameters()) for model in (apart, shared)
    ]
    assert count[0] == 2 * count[1]


def test_a_shared_adaptor_needs_features_of_one_width():
    with pytest.raises(ValueError, match=r"shared_adaptor.*'text': 6, 'image': 9"):
        build(architecture={"shared_adaptor": True})


@pytest.mark.parametrize("mode", ["attention", "attention_frozen_unmasked", "mean"])
@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_items_without_text_image_or_both_never_make_a_nan(stage, mode):
    model = build(stage, architecture={"pooling": mode})
    params = worlds.params("mp4sr", architecture={"pooling": mode})
    objective = worlds.objective(params, model, stage)
    whole = torch.tensor([[3, 5, 7, 3], [7, 7, 5, 0], [1, 7, 0, 0]])
    loss = sum(objective(worlds.dense_batch(whole)).values())
    loss.backward()
    assert loss.isfinite()
    gradients = [p.grad for p in objective.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert model.item_table().isfinite().all()
    assert worlds.queries(model, whole).isfinite().all()


def test_an_item_without_a_modality_uses_no_other_items_vector():
    model = build(finetune={"use_id": False})
    before = model.item_table()
    for features in model.item_encoder.features.values():
        features.vectors.copy_(torch.randn_like(features.vectors))
    after = model.item_table()
    assert torch.equal(after[7], before[7])  # neither text nor image
    assert torch.equal(after[3, :8], before[3, :8])  # no text
    assert torch.equal(after[5, 8:], before[5, 8:])  # no image
    assert not torch.allclose(after[3, 8:], before[3, 8:])


@pytest.mark.parametrize("chunk", [1, 5, 13, 100])
def test_the_item_table_does_not_depend_on_the_chunk(chunk, monkeypatch):
    model = build()
    whole = model.item_table()
    monkeypatch.setattr("mmrec.models.item_table.TABLE_CHUNK", chunk)
    torch.testing.assert_close(model.item_table(), whole)


@pytest.mark.parametrize(("absent", "present"), [("text", "image"), ("image", "text")])
def test_one_modality_alone_can_be_fine_tuned_and_scored(absent, present):
    changes = {"finetune": {"score_branches": present}}
    model = build(**{absent: worlds.no_table()}, **changes)
    objective = worlds.objective(worlds.params("mp4sr", **changes), model)
    loss = objective(worlds.dense_batch(worlds.sequences(LENGTHS)))["next_item"]
    loss.backward()
    assert loss.isfinite()
    assert model.item_table().shape == (worlds.NUM_ITEMS, 8)


def test_the_ids_are_left_out_where_asked():
    with_id, without = build(), build(finetune={"use_id": False})
    assert set(with_id.state_dict()) - set(without.state_dict()) == {"item_ids"}


def test_image_features_may_have_any_width():
    model = build(image=worlds.table([1] * 12, dim=2048))
    assert model.item_table().isfinite().all()
