import pytest
import torch

from tests import reference
from tests.models import worlds

LENGTHS = [4, 9, 3, 2, 6]
STILL = {"drop_probability": 0.0, "mixup": False}


def build(stage="pretrain", architecture=None, **contrast):
    section = {"contrast": contrast} if stage == "pretrain" else {"joint": contrast}
    params = worlds.params("mp4sr", architecture=architecture or {}, **{stage: section})
    return worlds.objective(params, worlds.recommender(params, stage), stage)


def batch():
    return worlds.dense_batch(worlds.sequences(LENGTHS))


def states_and_targets(model, samples):
    """Clean ID-free states of the text and the image stream, and both streams of the targets."""
    rows, columns = samples.targets.nonzero(as_tuple=True)
    targets = samples.targets[rows, columns]
    states, embeddings = [], []
    for name in ("text", "image"):
        stream = model.item_encoder.encode_all(name)
        inputs, valid = stream[samples.items], samples.items != 0
        states.append(
            reference.sequence_encoder(model.sequence_encoder, inputs, valid)[rows, columns]
        )
        embeddings.append(stream[targets])
    return states, embeddings, targets


RULES = {"temperature": 0.07, "same_target_negatives": "dropped"}
CMCL = RULES | {"denominator": "gca"}


def test_losses_with_projections_equal_the_paper_written_out():
    objective = build(**STILL).double().eval()
    states, embeddings, targets = states_and_targets(objective.recommender, batch())
    expected = {}
    for name, candidates in zip(("text", "image"), embeddings, strict=True):
        views = [objective.losses.projections[name](state) for state in states]
        expected[f"nip_{name}"] = reference.next_item_prediction(
            views, candidates, targets, **RULES
        )
        expected[f"cmcl_{name}"] = 0.01 * reference.cross_modal_contrastive(*views, targets, **CMCL)
    losses = objective(batch())
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, expected[name])


@pytest.mark.parametrize("denominator", ["gca", "released"])
def test_identity_projections_are_all_losses_of_the_states_as_they_are(denominator):
    objective = build(**STILL, projections="identity", cmcl_denominator=denominator)
    objective = objective.double().eval()
    assert not list(objective.losses.parameters())
    states, embeddings, targets = states_and_targets(objective.recommender, batch())
    cmcl = reference.cross_modal_contrastive(
        *states, targets, **(RULES | {"denominator": denominator})
    )
    expected = {"cmcl_text": 0.01 * cmcl, "cmcl_image": 0.01 * cmcl}
    for name, candidates in zip(("text", "image"), embeddings, strict=True):
        expected[f"nip_{name}"] = reference.next_item_prediction(
            states, candidates, targets, **RULES
        )
    losses = objective(batch())
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, expected[name])
    trained = [objective.recommender.item_encoder.adaptor["text"].experts.weight]
    trained += [objective.recommender.sequence_encoder.positions]
    fast = torch.autograd.grad(sum(losses.values()), trained)
    slow = torch.autograd.grad(sum(expected.values()), trained)
    for ours, theirs in zip(fast, slow, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_text_stream_comes_first_in_the_released_cmcl_of_both_spaces():
    objective = build(**STILL, cmcl_denominator="released", nip_weight=0.0).double().eval()
    states, _, targets = states_and_targets(objective.recommender, batch())
    losses = objective(batch())
    for name in ("text", "image"):
        views = [objective.losses.projections[name](state) for state in states]
        released = RULES | {"denominator": "released"}
        expected = 0.01 * reference.cross_modal_contrastive(*views, targets, **released)
        torch.testing.assert_close(losses[f"cmcl_{name}"], expected)


def test_places_of_a_history_draw_for_themselves_where_asked():
    again = torch.tensor([[4, 2, 4, 4, 8]])
    still = {"dropout": 0.0, "attention_dropout": 0.0}
    for draws, distinct in (("item", 1), ("place", 3)):
        recommender = build(architecture=still | {"expert_draws": draws}).recommender
        tokens = recommender.modality_tokens("text", again[0])
        assert len(tokens[[0, 2, 3]].unique(dim=0)) == distinct
        recommender.eval()
        expected = recommender.item_encoder.encode("text", again[0])
        torch.testing.assert_close(recommender.modality_tokens("text", again[0]), expected)


def test_no_two_samples_of_a_dense_batch_are_one_state_behind_a_dropped_item():
    losses = build(drop_probability=0.5, mixup=False).eval()
    samples = batch()
    torch.manual_seed(1)
    text, image, targets = losses.losses._augmented_states(losses.recommender, samples)
    assert 0 < len(text) == len(image) == len(targets) < int((samples.targets != 0).sum())
    assert len(text.unique(dim=0)) == len(text)


def test_losses_without_projections_equal_the_authors_code_written_out():
    objective = build(**STILL, projections=False).double().eval()
    states, (text, image), targets = states_and_targets(objective.recommender, batch())
    expected = {
        "nip_text": reference.next_item_prediction(states[:1], text, targets, **RULES),
        "nip_image": reference.next_item_prediction(states[1:], image, targets, **RULES),
        "cmcl": 0.01 * reference.cross_modal_contrastive(*states, targets, **CMCL),
    }
    losses = objective(batch())
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, expected[name])
    assert not list(objective.losses.parameters())


@pytest.mark.parametrize(
    ("weights", "names"),
    [
        ({"nip_weight": 0}, {"cmcl_text", "cmcl_image"}),
        ({"cmcl_weight": 0}, {"nip_text", "nip_image"}),
        ({"cmcl_weight": 0, "projections": False}, {"nip_text", "nip_image"}),
        ({"nip_weight": 0, "projections": False}, {"cmcl"}),
    ],
)
def test_a_loss_of_weight_zero_is_left_out(weights, names):
    assert build(**weights)(batch()).keys() == names


def test_no_loss_at_all_is_refused():
    with pytest.raises(ValueError, match="nip_weight and cmcl_weight are both 0"):
        build(nip_weight=0, cmcl_weight=0)


def test_weights_multiply_the_losses():
    single, double = (build(**STILL, nip_weight=weight).eval()(batch()) for weight in (1.0, 2.0))
    torch.testing.assert_close(double["nip_text"], 2 * single["nip_text"])
    torch.testing.assert_close(double["cmcl_text"], single["cmcl_text"])


def test_dense_training_equals_prefix_training_without_augmentation():
    objective = build(**STILL).double().eval()
    whole = worlds.sequences(LENGTHS)
    dense, prefix = objective(worlds.dense_batch(whole)), objective(worlds.prefix_batch(whole))
    for name, loss in dense.items():
        torch.testing.assert_close(loss, prefix[name])


@pytest.mark.parametrize(
    "augmentation", [{"mixup": False}, {"drop_probability": 0.0}], ids=["item drop", "mixup"]
)
def test_augmentation_makes_every_pass_different(augmentation):
    objective = build(**augmentation).eval()  # no dropout
    drawn = {objective(batch())["nip_text"].item() for _ in range(8)}
    assert len(drawn) > 1


def test_nothing_random_is_left_without_augmentation_and_dropout():
    objective = build(**STILL).eval()
    assert objective(batch())["nip_text"] == objective(batch())["nip_text"]


def test_joint_training_adds_both_kinds_of_losses():
    objective = build("finetune")
    losses = objective(batch())
    assert losses.keys() == {"next_item", "nip_text", "nip_image", "cmcl_text", "cmcl_image"}
    sum(losses.values()).backward()
    assert objective.recommender.item_ids.grad.abs().sum() > 0


def test_the_contrastive_losses_of_joint_training_know_no_ids():
    objective = build("finetune")
    losses = objective(batch())
    contrast = sum(loss for name, loss in losses.items() if name != "next_item")
    (gradient,) = torch.autograd.grad(contrast, objective.recommender.item_ids, allow_unused=True)
    assert gradient is None


def test_attention_pooling_learns_unless_it_is_frozen():
    for mode, learns in (("attention", True), ("attention_frozen_unmasked", False)):
        objective = build(architecture={"pooling": mode})
        sum(objective(batch()).values()).backward()
        pooling = objective.recommender.item_encoder.pooling["text"]
        assert (pooling.hidden.grad is not None) == learns


def test_one_sample_is_enough():
    objective = build()
    losses = objective(worlds.Batch(torch.tensor([[4, 0]]), torch.tensor([[2, 0]])))
    total = sum(losses.values())
    total.backward()
    gradients = [p.grad for p in objective.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
