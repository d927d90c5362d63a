import pytest
import torch

from mmrec.nn.pooling import AttentionPooling, RaggedFeatures
from tests import reference

COUNTS = [0, 3, 1, 0, 4, 2, 0]  # rows per item; item 0 is padding, items 3 and 6 have none
ASKED = [[1], [4, 1, 4], [3], [0, 3, 6], [2, 3, 5, 1, 0]]


@pytest.fixture
def features():
    torch.manual_seed(0)
    counts = torch.tensor(COUNTS)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    return RaggedFeatures(torch.randn(int(counts.sum()), 6), offsets).double()


def pooling(mode):
    torch.manual_seed(1)
    return AttentionPooling(6, 4, mode).double()


def rows_of(features, item):
    return features.vectors[features.offsets[item] : features.offsets[item + 1]]


def pool(features, module, items):
    rows = features.rows_of(torch.tensor(items))
    return features.fill_missing(module(rows, features.max_rows), rows.counts)


def slow_pool(features, module, item, padded_to, bias=0.0):
    rows = rows_of(features, item)
    if len(rows) == 0:
        return features.missing
    biases = torch.full((4,), bias, dtype=rows.dtype), torch.tensor(2 * bias, dtype=rows.dtype)
    return reference.attention_pooling(
        rows, module.hidden, biases[0], module.score, biases[1], padded_to=padded_to
    )


@pytest.mark.parametrize("items", ASKED, ids=str)
@pytest.mark.parametrize(
    ("mode", "padded_to"), [("attention", 0), ("attention_frozen_unmasked", 4)]
)
def test_pooling_equals_two_unfused_linear_maps(features, mode, padded_to, items):
    module = pooling(mode)
    slow = torch.stack([slow_pool(features, module, item, padded_to) for item in items])
    torch.testing.assert_close(pool(features, module, items), slow)


def test_gradients_equal_those_of_two_unfused_linear_maps(features):
    module = pooling("attention")
    items = [1, 4, 5, 3, 1]
    weight = torch.randn(len(items), 6, dtype=torch.float64)
    parameters = [module.hidden, module.score, features.missing]
    slow = torch.stack([slow_pool(features, module, item, 0) for item in items])
    fast_gradients = torch.autograd.grad((pool(features, module, items) * weight).sum(), parameters)
    slow_gradients = torch.autograd.grad((slow * weight).sum(), parameters)
    assert all(gradient.abs().max() > 0 for gradient in fast_gradients)
    for fast, slow in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(fast, slow)


def test_the_biases_of_the_paper_change_nothing_under_the_masked_softmax(features):
    module = pooling("attention")
    without, with_bias = (slow_pool(features, module, 4, 0, bias) for bias in (0.0, 3.0))
    torch.testing.assert_close(with_bias, without)


@pytest.mark.parametrize("mode", ["attention", "attention_frozen_unmasked", "mean"])
def test_the_whole_catalogue_equals_asking_for_every_item(features, mode):
    module = pooling(mode)
    rows = features.all_rows()
    everything = features.fill_missing(module(rows, features.max_rows), rows.counts)
    torch.testing.assert_close(everything, pool(features, module, list(range(len(COUNTS)))))


def test_mean_is_the_mean_of_the_real_rows(features):
    pooled = pool(features, pooling("mean"), [4, 2])
    expected = torch.stack([rows_of(features, item).mean(dim=0) for item in (4, 2)])
    torch.testing.assert_close(pooled, expected)


def test_unmasked_pooling_is_diluted_and_gets_no_gradient(features):
    module = pooling("attention_frozen_unmasked")
    torch.nn.init.zeros_(module.score)
    pooled = pool(features, module, [1])
    torch.testing.assert_close(pooled[0], rows_of(features, 1).sum(dim=0) / 4)
    assert not any(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("mode", ["attention", "attention_frozen_unmasked", "mean"])
def test_items_without_rows_get_the_missing_vector_and_no_other(features, mode):
    pooled = pool(features, pooling(mode), [6, 1, 3, 0])
    for place in (0, 2, 3):
        torch.testing.assert_close(pooled[place], features.missing)
    assert pooled.isfinite().all()


def test_a_catalogue_without_any_row_is_all_missing():
    features = RaggedFeatures(torch.zeros(0, 6), torch.zeros(5, dtype=torch.int64))
    rows = features.all_rows()
    module = AttentionPooling(6, 4, "attention")
    pooled = features.fill_missing(module(rows, features.max_rows), rows.counts)
    pooled.sum().backward()
    torch.testing.assert_close(pooled, features.missing.expand(4, 6))
    assert module.hidden.grad.isfinite().all()


def test_large_scores_do_not_overflow(features):
    module = pooling("attention")
    torch.nn.init.constant_(module.hidden, 1e3)
    assert pool(features, module, [1, 4]).isfinite().all()


def test_half_precision_features_are_pooled_in_the_precision_of_the_weights(monkeypatch):
    vectors = torch.randn(4, 6).half()
    offsets = torch.tensor([0, 0, 3, 4])
    converted = RaggedFeatures(vectors, offsets)
    monkeypatch.setattr("mmrec.nn.pooling.MAX_FLOAT32_BYTES", 0)
    kept = RaggedFeatures(vectors, offsets)
    assert kept.vectors.dtype == torch.float16
    items = torch.tensor([2, 1])
    torch.testing.assert_close(converted.rows_of(items).vectors, kept.rows_of(items).vectors)
    torch.testing.assert_close(converted.all_rows().vectors, kept.all_rows().vectors)


def test_feature_rows_are_not_part_of_the_weights(features):
    assert list(features.state_dict()) == ["missing"]
