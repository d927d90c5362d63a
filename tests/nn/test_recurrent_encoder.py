import pytest
import torch

from mmrec.nn.packing import Packing
from mmrec.nn.recurrent_encoder import RecurrentEncoder
from tests import reference

LENGTHS = [3, 9, 1, 5, 12, 1, 4]


@pytest.fixture(params=[1, 2])
def encoder(request):
    torch.manual_seed(0)
    module = RecurrentEncoder(embedding_dim=6, hidden_dim=5, num_layers=request.param, dropout=0.3)
    return module.double().eval()


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    return torch.randn(len(LENGTHS), max(LENGTHS), 6, dtype=torch.float64)


def valid_of(lengths, columns):
    return torch.arange(columns) < torch.tensor(lengths).unsqueeze(1)


def encode(encoder, inputs, lengths):
    """Padded in, padded out; zeros at padded positions."""
    packing = Packing.of(valid_of(lengths, inputs.shape[1]).long())
    flat = inputs.flatten(0, 1)
    states = encoder(flat[packing.places], packing)
    return torch.zeros_like(flat).index_copy(0, packing.places, states).view_as(inputs)


def test_states_and_gradients_equal_the_written_out_unit(encoder, inputs):
    valid = valid_of(LENGTHS, inputs.shape[1])
    slow = reference.recurrent_encoder(encoder, inputs)
    fast = encode(encoder, inputs, LENGTHS)
    torch.testing.assert_close(fast[valid], slow[valid])
    weight = torch.randn_like(fast[valid])
    parameters = list(encoder.parameters())
    fast_gradients = torch.autograd.grad((fast[valid] * weight).sum(), parameters)
    slow_gradients = torch.autograd.grad((slow[valid] * weight).sum(), parameters)
    for ours, theirs in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_later_items_change_no_earlier_state(encoder, inputs):
    before = encode(encoder, inputs, LENGTHS)
    changed = inputs.clone()
    changed[:, 4:] += 1
    after = encode(encoder, changed, LENGTHS)
    torch.testing.assert_close(after[:, :4], before[:, :4])
    assert (after[1, 4:9] - before[1, 4:9]).abs().min() > 0


def test_the_state_of_a_position_is_that_of_its_prefix(encoder, inputs):
    whole = encode(encoder, inputs, LENGTHS)
    for length in (1, 2, 7):
        prefix = encode(encoder, inputs[1:2, :length], [length])
        torch.testing.assert_close(prefix[0, -1], whole[1, length - 1])


def test_a_sequence_may_have_any_length(encoder):
    torch.manual_seed(2)
    inputs = torch.randn(1, 500, 6, dtype=torch.float64)
    states = encode(encoder, inputs, [500])
    torch.testing.assert_close(states, reference.recurrent_encoder(encoder, inputs))


def test_dropout_is_of_the_inputs(encoder, inputs):
    encoder.train()
    encoder.dropout = 0.999999
    torch.manual_seed(0)
    dropped = encode(encoder, inputs, LENGTHS)
    encoder.eval()
    nothing = encode(encoder, torch.zeros_like(inputs), LENGTHS)
    torch.testing.assert_close(dropped, nothing)


def test_without_a_dense_layer_the_states_are_those_of_the_unit(inputs):
    torch.manual_seed(0)
    encoder = RecurrentEncoder(
        embedding_dim=6, hidden_dim=6, num_layers=4, dropout=0.3, output="none"
    )
    encoder.double().eval()
    assert {name.split(".")[0] for name in encoder.state_dict()} == {"gru"}
    valid = valid_of(LENGTHS, inputs.shape[1])
    slow = inputs
    for layer in range(4):
        unit = torch.nn.GRU(6, 6, bias=False, batch_first=True).double()
        unit.weight_ih_l0 = encoder.gru._parameters[f"weight_ih_l{layer}"]
        unit.weight_hh_l0 = encoder.gru._parameters[f"weight_hh_l{layer}"]
        slow = unit(slow)[0]
    torch.testing.assert_close(encode(encoder, inputs, LENGTHS)[valid], slow[valid])


def test_without_a_dense_layer_the_widths_must_agree():
    with pytest.raises(ValueError, match=r"hidden_dim \(5\).*embedding_dim \(6\)"):
        RecurrentEncoder(embedding_dim=6, hidden_dim=5, num_layers=1, dropout=0.0, output="none")


@pytest.mark.parametrize("output", ["dense", "none"])
def test_states_of_samples_are_those_of_all_tokens(inputs, output):
    torch.manual_seed(0)
    encoder = RecurrentEncoder(
        embedding_dim=6, hidden_dim=6, num_layers=2, dropout=0.0, output=output
    ).double()
    packing = Packing.of(valid_of(LENGTHS, inputs.shape[1]).long())
    tokens = inputs.flatten(0, 1)[packing.places]
    samples = torch.tensor([7, 0, 7, 33, 12])
    sampled, every = encoder(tokens, packing, samples), encoder(tokens, packing)[samples]
    torch.testing.assert_close(sampled, every)
    for ours, theirs in zip(
        torch.autograd.grad(sampled.square().sum(), encoder.parameters()),
        torch.autograd.grad(every.square().sum(), encoder.parameters()),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)
