import pytest
import torch

from mmrec.nn import segments as segments_module
from mmrec.nn.pooling import AttentionPooling, RaggedFeatures
from tests import reference

COUNTS = [0, 3, 1, 0, 4, 2, 0]  # rows per item; item 0 is padding, items 3 and 6 have none
ASKED = [[1], [4, 1, 4], [3], [0, 3, 6], [2, 3, 5, 1, 0], []]
MODES = ["attention", "attention_frozen_unmasked", "mean"]


def features_of(counts, seed=0):
    generator = torch.Generator().manual_seed(seed)
    counts = torch.tensor(counts)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    return RaggedFeatures(torch.randn(int(counts.sum()), 6, generator=generator), offsets).double()


@pytest.fixture
def features():
    return features_of(COUNTS)


@pytest.fixture(params=[1, 13, 24, 1 << 20], ids=lambda values: f"chunks of {values} values")
def chunked(request, monkeypatch):
    """Chunks of a row each, of two, of four, and one for all; rows have 6 values."""
    monkeypatch.setitem(segments_module.CHUNK_VALUES, "cpu", request.param)


def pooling(mode):
    torch.manual_seed(1)
    return AttentionPooling(6, 4, mode).double()


def pool(features, module, items):
    """Pooled vectors of the items, the learned vector where one has no row."""
    rows = features.all_rows() if items is None else features.rows_of(torch.tensor(items).long())
    pooled = module(rows.segments, features.max_rows, features.missing.dtype)
    absent = features.missing.expand(rows.num_items - len(pooled), -1)
    return torch.cat([pooled, absent])[rows.order]


def slow_pool(features, module, item, padded_to, bias=0.0):
    rows = features.vectors[features.offsets[item] : features.offsets[item + 1]]
    if len(rows) == 0:
        return features.missing
    biases = torch.full((4,), bias, dtype=rows.dtype), torch.tensor(2 * bias, dtype=rows.dtype)
    return reference.attention_pooling(
        rows, module.hidden, biases[0], module.score, biases[1], padded_to=padded_to
    )


@pytest.mark.usefixtures("chunked")
@pytest.mark.parametrize("items", ASKED, ids=str)
@pytest.mark.parametrize(
    ("mode", "padded_to"), [("attention", 0), ("attention_frozen_unmasked", 4)]
)
def test_pooling_equals_two_unfused_linear_maps(features, mode, padded_to, items):
    module = pooling(mode)
    slow = [slow_pool(features, module, item, padded_to) for item in items]
    expected = torch.stack(slow) if slow else torch.zeros(0, 6, dtype=torch.float64)
    torch.testing.assert_close(pool(features, module, items), expected)


@pytest.mark.usefixtures("chunked")
@pytest.mark.parametrize("items", [[1, 4, 5, 3, 1], None], ids=["some", "all"])
def test_gradients_equal_those_of_two_unfused_linear_maps(features, items):
    module = pooling("attention")
    asked = range(len(COUNTS)) if items is None else items
    weight = torch.randn(len(asked), 6, dtype=torch.float64)
    parameters = [module.hidden, module.score, features.missing]
    slow = torch.stack([slow_pool(features, module, item, 0) for item in asked])
    fast_gradients = torch.autograd.grad((pool(features, module, items) * weight).sum(), parameters)
    slow_gradients = torch.autograd.grad((slow * weight).sum(), parameters)
    assert all(gradient.abs().max() > 0 for gradient in fast_gradients)
    for fast, slow in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(fast, slow)


def test_the_biases_of_the_paper_change_nothing_under_the_masked_softmax(features):
    module = pooling("attention")
    without, with_bias = (slow_pool(features, module, 4, 0, bias) for bias in (0.0, 3.0))
    torch.testing.assert_close(with_bias, without)


@pytest.mark.usefixtures("chunked")
@pytest.mark.parametrize("counts", [COUNTS, [0, 1, 1, 0, 1], [5], [0, 0]], ids=str)
@pytest.mark.parametrize("mode", MODES)
def test_the_whole_catalogue_equals_asking_for_every_item(mode, counts):
    features, module = features_of(counts), pooling(mode)
    everything = pool(features, module, None)
    torch.testing.assert_close(everything, pool(features, module, list(range(len(counts)))))


@pytest.mark.usefixtures("chunked")
def test_mean_is_the_mean_of_the_real_rows(features):
    pooled = pool(features, pooling("mean"), [4, 2])
    own = [features.vectors[4:8], features.vectors[3:4]]
    torch.testing.assert_close(pooled, torch.stack([rows.mean(dim=0) for rows in own]))


def test_unmasked_pooling_is_diluted_and_gets_no_gradient(features):
    module = pooling("attention_frozen_unmasked")
    torch.nn.init.zeros_(module.score)
    pooled = pool(features, module, [1])
    torch.testing.assert_close(pooled[0], features.vectors[:3].sum(dim=0) / 4)
    assert not any(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("mode", MODES)
def test_where_no_item_has_two_rows_the_rows_are_the_result(mode):
    features, module = features_of([0, 1, 0, 1, 1]), pooling(mode)
    pooled = pool(features, module, None)
    torch.testing.assert_close(pooled[[1, 3, 4]], features.vectors)
    assert module.without_effect() == 0


def test_weights_without_effect_have_zero_gradients():
    module = pooling("attention")
    module.without_effect().backward()
    for parameter in module.parameters():
        assert torch.equal(parameter.grad, torch.zeros_like(parameter))


@pytest.mark.parametrize("mode", MODES)
def test_items_without_rows_get_the_missing_vector_and_no_other(features, mode):
    pooled = pool(features, pooling(mode), [6, 1, 3, 0])
    for place in (0, 2, 3):
        torch.testing.assert_close(pooled[place], features.missing)
    assert pooled.isfinite().all()


def test_a_catalogue_without_any_row_is_all_missing():
    features = RaggedFeatures(torch.zeros(0, 6), torch.zeros(5, dtype=torch.int64))
    module = AttentionPooling(6, 4, "attention")
    pooled = pool(features, module, None)
    (pooled.sum() + module.without_effect()).backward()
    torch.testing.assert_close(pooled, features.missing.expand(4, 6))
    assert module.hidden.grad.isfinite().all()


@pytest.mark.usefixtures("chunked")
def test_large_scores_do_not_overflow(features):
    module = pooling("attention")
    torch.nn.init.constant_(module.hidden, 1e3)
    assert pool(features, module, [1, 4]).isfinite().all()


@pytest.mark.usefixtures("chunked")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("items", [[2, 1], None], ids=["some", "all"])
def test_half_precision_features_stay_as_stored_and_pool_in_float32(mode, items):
    vectors = torch.randn(4, 6).half()
    offsets = torch.tensor([0, 0, 3, 4])
    half, whole = RaggedFeatures(vectors, offsets), RaggedFeatures(vectors.float(), offsets)
    whole.load_state_dict(half.state_dict())
    assert half.vectors.data_ptr() == vectors.data_ptr()
    module = pooling(mode).float()
    torch.testing.assert_close(pool(half, module, items), pool(whole, module, items))


def test_feature_rows_are_not_part_of_the_weights(features):
    assert list(features.state_dict()) == ["missing"]
