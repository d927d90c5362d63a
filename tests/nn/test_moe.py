import pytest
import torch

from mmrec.nn.moe import MixtureOfExperts
from tests import reference


@pytest.fixture
def module():
    torch.manual_seed(0)
    module = MixtureOfExperts(feature_dim=7, embedding_dim=5, num_experts=3, dropout=0.5).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module.eval()


def test_adaptor_equals_one_expert_after_the_other(module):
    pooled = torch.randn(4, 7, dtype=torch.float64)
    slow = torch.stack([reference.mixture_of_experts(row, module) for row in pooled])
    weight = torch.randn_like(slow)
    fast_gradients = torch.autograd.grad((module(pooled) * weight).sum(), list(module.parameters()))
    slow_gradients = torch.autograd.grad((slow * weight).sum(), list(module.parameters()))
    torch.testing.assert_close(module(pooled), slow)
    for fast, slow in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(fast, slow)


def test_gates_are_uniform_at_the_start():
    module = MixtureOfExperts(feature_dim=7, embedding_dim=5, num_experts=4, dropout=0.0)
    assert (module.gate(torch.randn(3, 7)).softmax(dim=-1) == 0.25).all()
    assert module.gate.bias is None


def test_dropout_acts_in_training_only(module):
    pooled = torch.randn(4, 7, dtype=torch.float64)
    assert torch.equal(module(pooled), module(pooled))
    module.train()
    assert not torch.equal(module(pooled), module(pooled))


def test_no_items_give_no_embeddings(module):
    assert module(torch.zeros(0, 7, dtype=torch.float64)).shape == (0, 5)
