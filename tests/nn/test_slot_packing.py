import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmrec.nn.sequence_encoder import SequenceEncoder
from mmrec.nn.slot_packing import SlotPacking, step_max
from tests import reference

WIDTH, MAX_LENGTH = 4, 6
# Modalities present in each step; items 0 pad on the right. The second sequence has a step
# without any token, the third has no token, the fourth no step, the fifth ends in an empty step.
PRESENT = [
    [(1, 1), (0, 1), (1, 0), (1, 1), (1, 1)],
    [(1, 1), (0, 0), (0, 1)],
    [(0, 0), (0, 0)],
    [],
    [(1, 0), (1, 1), (0, 0)],
]
NUM_STEPS = [len(row) for row in PRESENT]
ROWS_OF_STEPS = st.lists(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=5),
    min_size=1,
    max_size=6,
)


def batch(rows, num_modalities):
    """Items [B, L], present [B, L, M]: true at padding, where it must not be read."""
    width = max(1, *map(len, rows)) if len(rows) > 1 else max(1, len(rows[0]))
    items = torch.zeros(len(rows), width, dtype=torch.int64)
    present = torch.ones(len(rows), width, num_modalities, dtype=torch.bool)
    for row, steps in enumerate(rows):
        items[row, : len(steps)] = 1
        for step, modalities in enumerate(steps):
            present[row, step] = torch.tensor(modalities, dtype=torch.bool)
    return items, present


def expected_tokens(rows):
    """(sequence, step, modality) of every token, in the order of sequences."""
    return [
        (row, step, modality)
        for row, steps in enumerate(rows)
        for step, modalities in enumerate(steps)
        for modality, there in enumerate(modalities)
        if there
    ]


@given(ROWS_OF_STEPS)
def test_tokens_are_the_present_modalities_of_real_steps(rows):
    items, present = batch(rows, 3)
    slots = SlotPacking.of(items, present)
    packing = slots.packing
    found = zip(
        packing.sequences.tolist(), packing.steps.tolist(), slots.modalities.tolist(), strict=True
    )
    ordered = sorted(expected_tokens(rows), key=lambda token: sum(map(sum, rows[token[0]])))
    assert list(found) == ordered  # a stable sort: shorter sequences first
    numbers = torch.arange(present.numel()).view(present.shape)
    values = [numbers[token].item() for token in ordered]
    assert packing.pack(numbers).tolist() == values
    assert packing.num_steps.tolist() == [len(steps) for steps in rows]
    assert packing.longest == max(map(len, rows))


@given(ROWS_OF_STEPS, st.data())
def test_tokens_of_steps_are_found_step_after_step(rows, data):
    items, present = batch(rows, 3)
    slots = SlotPacking.of(items, present)
    steps = [(row, step) for row in range(len(rows)) for step in range(items.shape[1])]
    asked = data.draw(st.lists(st.sampled_from(steps), max_size=8))
    sequences, columns = torch.tensor(asked, dtype=torch.int64).view(-1, 2).unbind(dim=1)
    tokens = slots.tokens_at(sequences, columns)
    expected = [
        (number, modality)
        for number, (row, step) in enumerate(asked)
        for own_row, own_step, modality in expected_tokens(rows)
        if (own_row, own_step) == (row, step)
    ]
    assert list(zip(tokens.owners.tolist(), tokens.modalities.tolist(), strict=True)) == expected
    assert torch.equal(slots.packing.sequences[tokens.samples], sequences[tokens.owners])
    assert torch.equal(slots.packing.steps[tokens.samples], columns[tokens.owners])
    assert torch.equal(slots.modalities[tokens.samples], tokens.modalities)
    assert tokens.num_steps == len(asked)


def test_the_last_step_is_the_last_real_one_with_tokens_or_without():
    slots = SlotPacking.of(*batch(PRESENT, 2))
    assert slots.last_steps().tolist() == [4, 2, 1, 0, 2]


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    module = SequenceEncoder(
        embedding_dim=WIDTH,
        num_layers=2,
        num_heads=2,
        feedforward_dim=8,
        dropout=0.0,
        attention_dropout=0.0,
        max_sequence_length=MAX_LENGTH,
        direction="both",
    ).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return module


@pytest.fixture
def vectors():
    torch.manual_seed(1)
    shape = (len(PRESENT), max(NUM_STEPS), 2, WIDTH)
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


ABSENT = torch.arange(float(WIDTH), dtype=torch.float64, requires_grad=True)


def slow_states(encoder, vectors, anchor):
    """State of every step, one sequence at a time: its tokens by themselves, then the largest."""
    found = []
    for row, length in enumerate(NUM_STEPS):
        own = [token for token in expected_tokens(PRESENT) if token[0] == row]
        steps = [step for _, step, _ in own]
        first = 0 if anchor == "start" else MAX_LENGTH - length
        states = torch.zeros(0, WIDTH, dtype=torch.float64)
        if own:
            inputs = torch.stack([vectors[token] for token in own])
            positions = encoder.positions[[first + step for step in steps]]
            valid = torch.ones(1, len(own), dtype=torch.bool)
            states = reference.sequence_encoder(
                encoder, inputs.unsqueeze(0), valid, direction="both", positions=positions
            )[0]
        found.append(reference.step_states(states, steps, max(NUM_STEPS), ABSENT))
    return torch.stack(found)  # [B, L, D]


def fast_states(encoder, vectors, anchor):
    slots = SlotPacking.of(*batch(PRESENT, 2))
    inputs = vectors.flatten(0, 2)[slots.packing.places].unsqueeze(0)
    states = encoder(inputs, slots.packing, anchor=anchor)[0]
    return step_max(states, slots.all_steps(), ABSENT).view(*vectors.shape[:2], WIDTH)


@pytest.mark.parametrize("anchor", ["start", "end"])
def test_states_of_steps_and_gradients_equal_those_of_one_sequence_at_a_time(
    encoder, vectors, anchor
):
    slow, fast = slow_states(encoder, vectors, anchor), fast_states(encoder, vectors, anchor)
    torch.testing.assert_close(fast, slow)
    weight = torch.randn_like(slow)
    wanted = [vectors, ABSENT, *encoder.parameters()]
    fast_gradients = torch.autograd.grad((fast * weight).sum(), wanted)
    slow_gradients = torch.autograd.grad((slow * weight).sum(), wanted)
    for ours, theirs in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_steps_without_tokens_have_the_absent_state(encoder, vectors):
    states = fast_states(encoder, vectors, "end")
    for row, step in [(1, 1), (2, 0), (2, 1), (3, 0), (4, 2)]:
        assert torch.equal(states[row, step], ABSENT)


def test_absent_modalities_change_nothing(encoder, vectors):
    items, present = batch(PRESENT, 2)
    here = present & (items != 0).unsqueeze(-1)
    changed = torch.where(here.unsqueeze(-1), vectors, torch.full_like(vectors, torch.nan))
    torch.testing.assert_close(
        fast_states(encoder, changed, "end"), fast_states(encoder, vectors, "end")
    )


def test_states_of_some_steps_are_those_of_all(encoder, vectors):
    slots = SlotPacking.of(*batch(PRESENT, 2))
    sequences, steps = torch.tensor([1, 0, 1, 2, 4, 0]), torch.tensor([1, 3, 2, 0, 1, 3])
    tokens = slots.tokens_at(sequences, steps)
    inputs = vectors.flatten(0, 2)[slots.packing.places].unsqueeze(0)
    states = encoder(inputs, slots.packing, tokens.samples, anchor="end")[0]
    sampled = step_max(states, tokens, ABSENT)
    torch.testing.assert_close(sampled, fast_states(encoder, vectors, "end")[sequences, steps])


def test_a_batch_without_any_token_is_all_absent(encoder):
    slots = SlotPacking.of(torch.ones(2, 3), torch.zeros(2, 3, 2, dtype=torch.bool))
    inputs = torch.zeros(1, 0, WIDTH, dtype=torch.float64)
    states = encoder(inputs, slots.packing, anchor="end")[0]
    found = step_max(states, slots.all_steps(), ABSENT)
    assert torch.equal(found, ABSENT.expand(6, -1))
    none = slots.tokens_at(torch.tensor([1]), torch.tensor([2]))
    assert torch.equal(step_max(states[none.samples], none, ABSENT), ABSENT.expand(1, -1))


def test_too_many_steps_are_refused_and_many_tokens_are_not(encoder):
    items = torch.ones(1, MAX_LENGTH)
    inputs = torch.zeros(1, 2 * MAX_LENGTH, WIDTH, dtype=torch.float64)
    fitting = SlotPacking.of(items, torch.ones(1, MAX_LENGTH, 2, dtype=torch.bool))
    assert encoder(inputs, fitting.packing).isfinite().all()
    one_more = SlotPacking.of(torch.ones(1, 7), torch.ones(1, 7, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="7 items, the model has positions for 6"):
        encoder(torch.zeros(1, 14, WIDTH, dtype=torch.float64), one_more.packing)
