import pytest
import torch

from mmrec.nn import expert_mixture
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


def parity(module, fast, slow):
    """Values and gradients of all parameters agree."""
    weight = torch.randn_like(slow)
    parameters = list(module.parameters())
    fast_gradients, slow_gradients = (
        torch.autograd.grad((result * weight).sum(), parameters, retain_graph=True)
        for result in (fast, slow)
    )
    torch.testing.assert_close(fast, slow)
    for one, other in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("values", [1, 31, 1 << 20], ids="chunks of {} values".format)
def test_chunks_change_nothing(module, values, monkeypatch):
    pooled = torch.randn(5, 7, dtype=torch.float64)
    slow = torch.stack([reference.mixture_of_experts(row, module) for row in pooled])
    monkeypatch.setattr(expert_mixture, "CHUNK_VALUES", values)
    parity(module, module(pooled), slow)


def test_gradients_under_dropout_are_those_of_the_outputs_that_were_kept(module, monkeypatch):
    joint = torch.randn(6, 3 * 5 + 3, dtype=torch.float64, requires_grad=True)
    monkeypatch.setattr(expert_mixture, "CHUNK_VALUES", 31)

    def mixed(joint, weight, bias):
        torch.manual_seed(0)  # the same outputs are dropped in every call
        return expert_mixture.mixture(joint, weight, bias, eps=1e-12, drop=0.5)

    assert not torch.equal(
        mixed(joint, module.norm_weight, module.norm_bias),
        expert_mixture.mixture(joint, module.norm_weight, module.norm_bias, eps=1e-12, drop=0.0),
    )
    assert torch.autograd.gradcheck(mixed, (joint, module.norm_weight, module.norm_bias))


def test_one_vector_repeated_is_adapted_as_often(module):
    vector = torch.randn(7, dtype=torch.float64)
    slow = reference.mixture_of_experts(vector, module).expand(3, 5)
    parity(module, module.repeat(vector, 3), slow)
    assert module.repeat(vector, 0).shape == (0, 5)
    module.train()
    first, second = module.repeat(vector, 2)
    assert not torch.equal(first, second)


def test_an_accelerators_form_equals_that_of_a_cpu(module):
    pooled = torch.randn(4, 7, dtype=torch.float64)
    joint = module._joint(pooled)
    parity(module, module._on_accelerator(joint, 0.0), module(pooled))
    assert not torch.equal(module._on_accelerator(joint, 0.5), module._on_accelerator(joint, 0.5))
