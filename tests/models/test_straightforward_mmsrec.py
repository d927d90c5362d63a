"""The straightforward form of MMSRec against torch's own transformer, slot by slot."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.straightforward_mmsrec import Catalogue, Settings, StraightforwardMmsrec
from tests.models.torchs_layers import copy_layers

D, FEEDFORWARD, LENGTH, NUM_ITEMS = 8, 12, 6, 7
WIDTHS = {"text": 5, "image": 3}
HEADS = 2
ABSENT = {"text": [0, 3, 4], "image": [0, 2, 4]}  # padding and 4 have neither
ROWS = torch.tensor([[1, 4, 2, 0], [NUM_ITEMS, 5, 3, NUM_ITEMS], [6, 0, 0, 0]])
LENGTHS = [3, 4, 1]


def shapes():
    found = {}
    for name, width in WIDTHS.items():
        found |= dense(f"item_encoder.{name}.project", width, D)
        found |= dense(f"heads.{name}.project", D, D)
        found |= norm(f"item_encoder.{name}.norm") | norm(f"heads.{name}.norm")
    for layer in range(2):
        own = f"sequence_encoder.layers.{layer}"
        found |= dense(f"{own}.attention.query_key_value", D, 3 * D)
        found |= dense(f"{own}.attention.output", D, D)
        found |= dense(f"{own}.expand", D, FEEDFORWARD) | dense(f"{own}.contract", FEEDFORWARD, D)
        found |= norm(f"{own}.attention_norm") | norm(f"{own}.feedforward_norm")
    found |= norm("sequence_encoder.input_norm") | norm("output_norm")
    return found | {
        "item_encoder.mask_vector": (D,),
        "item_encoder.absent_vector": (D,),
        "modality_types": (2, D),
        "sequence_encoder.positions": (LENGTH, D),
    }


def dense(name, width, out):
    return {f"{name}.weight": (out, width), f"{name}.bias": (out,)}


def norm(name):
    return {f"{name}.weight": (D,), f"{name}.bias": (D,)}


def catalogue():
    features = {name: torch.randn(NUM_ITEMS, width).double() for name, width in WIDTHS.items()}
    present = {name: torch.ones(NUM_ITEMS, dtype=torch.bool) for name in WIDTHS}
    for name, absent in ABSENT.items():
        present[name][absent] = False
        features[name][absent] = 0
    return Catalogue(features, present)


@pytest.fixture
def weights():
    torch.manual_seed(0)
    return {name: torch.randn(shape).double() for name, shape in shapes().items()}


def torchs_own(weights):
    """`nn.TransformerEncoder` with these weights."""
    layer = nn.TransformerEncoderLayer(
        D, HEADS, FEEDFORWARD, dropout=0.0, activation="gelu", batch_first=True
    )
    norm = nn.LayerNorm(D)
    encoder = nn.TransformerEncoder(layer, 2, norm, enable_nested_tensor=False).double()
    copy_layers(encoder, weights, "sequence_encoder.layers")
    with torch.no_grad():
        for kind in ("weight", "bias"):
            norm.get_parameter(kind).copy_(weights[f"output_norm.{kind}"])
    return encoder


def slots_of(weights, known, item, missing):
    """Vectors of an item's slots by modality, those that it has."""
    if item == NUM_ITEMS:
        return dict.fromkeys(WIDTHS, weights["item_encoder.mask_vector"])
    if not any(known.present[name][item] for name in WIDTHS):
        return dict.fromkeys(WIDTHS, weights["item_encoder.absent_vector"])
    found = {}
    for name in WIDTHS:
        if known.present[name][item]:
            own = f"item_encoder.{name}"
            mapped = known.features[name][item] @ weights[f"{own}.project.weight"].T
            mapped = mapped + weights[f"{own}.project.bias"]
            found[name] = layer_norm(weights, f"{own}.norm", mapped)
        elif missing == "mask_token":
            found[name] = weights["item_encoder.mask_vector"]
    return found


def layer_norm(weights, name, values):
    return F.layer_norm(values, (D,), weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-5)


def state(weights, tokens, step):
    """State of a step out of tokens (step, modality, vector with its position) of one row."""
    types = dict(zip(WIDTHS, weights["modality_types"], strict=True))
    inputs = torch.stack([vector + types[name] for _, name, vector in tokens])
    encoded = torchs_own(weights)(
        layer_norm(weights, "sequence_encoder.input_norm", inputs).unsqueeze(0)
    )[0]
    outputs = []
    for (of, name, _), token in zip(tokens, encoded, strict=True):
        if of == step:
            output = token @ weights[f"heads.{name}.project.weight"].T
            output = output + weights[f"heads.{name}.project.bias"]
            outputs.append(layer_norm(weights, f"heads.{name}.norm", output))
    return torch.stack(outputs).amax(dim=0)


@pytest.mark.parametrize("missing", ["exclude", "mask_token"])
@pytest.mark.parametrize("padded_to", [LENGTH, None])
def test_states_are_those_of_the_present_tokens_alone(weights, missing, padded_to):
    known = catalogue()
    form = StraightforwardMmsrec(
        weights, known, Settings(HEADS, missing=missing, padded_to=padded_to)
    )
    slots, present = form.slots()
    padding = [(padded_to or max(LENGTHS)) - length for length in LENGTHS]
    padded = torch.tensor(
        [
            [0] * (max(LENGTHS) - length) + row[:length]
            for row, length in zip(ROWS.tolist(), LENGTHS, strict=True)
        ]
    )
    found = form.states(padded, slots, present)
    for row, length in enumerate(LENGTHS):
        first = padding[row]
        tokens = [
            (step, name, vector + weights["sequence_encoder.positions"][first + step])
            for step in range(length)
            for name, vector in slots_of(weights, known, ROWS[row, step].item(), missing).items()
        ]
        for step in range(length):
            expected = state(weights, tokens, step)
            torch.testing.assert_close(found[row, first + step], expected)


@pytest.mark.parametrize("missing", ["exclude", "mask_token"])
@pytest.mark.parametrize("with_position", [True, False])
def test_an_item_by_itself_is_a_row_of_one_step(weights, missing, with_position):
    known = catalogue()
    settings = Settings(HEADS, missing=missing, item_tower_position=with_position)
    form = StraightforwardMmsrec(weights, known, settings)
    found = form.item_vectors(*form.slots())
    assert found.shape == (NUM_ITEMS - 1, D)
    position = weights["sequence_encoder.positions"][0] if with_position else 0
    for item in range(1, NUM_ITEMS):
        own = slots_of(weights, known, item, missing)
        tokens = [(0, name, vector + position) for name, vector in own.items()]
        torch.testing.assert_close(found[item - 1], state(weights, tokens, 0))


def test_padding_in_front_of_a_row_is_seen_by_nobody(weights):
    known, positions = catalogue(), weights["sequence_encoder.positions"]
    form = StraightforwardMmsrec(weights, known, Settings(HEADS))
    slots, present = form.slots()
    beside_longer = form.states(torch.tensor([[0, 0, 1, 2], [3, 1, 5, 6]]), slots, present)
    assert beside_longer.isfinite().all()
    moved = weights | {"sequence_encoder.positions": positions[2:]}
    alone = StraightforwardMmsrec(moved, known, Settings(HEADS))
    found = alone.states(torch.tensor([[1, 2]]), slots, present)
    torch.testing.assert_close(found[0], beside_longer[0, 2:])
