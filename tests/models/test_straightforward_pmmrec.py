"""The straightforward form of PMMRec against torch's own layers, and loops over slots."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.straightforward_pmmrec import StraightforwardPmmrec
from benchmarks.straightforward_pmmrec_network import (
    MODALITIES,
    Contents,
    Settings,
    StraightforwardNetwork,
)
from tests import reference_pmmrec
from tests.models.torchs_layers import copy_layers

D, FEEDFORWARD, LENGTH, NUM_ITEMS = 8, 12, 5, 8
WIDTHS = {"text": 6, "image": 3}
HEADS = 2
TOKENS = {"text": [0, 3, 2, 4, 0, 2, 3, 4], "image": [0, 3, 3, 3, 3, 0, 3, 3]}
"""4 has no text, 5 no picture; 0 is padding."""
WINDOWS = torch.tensor([[0, 0, 1, 2, 4, 3], [6, 2, 2, 5, 7, 1], [0, 0, 0, 0, 7, 6]])
CORRUPTED = torch.tensor([[0, 0, 2, 1, 5], [6, 3, 2, 7, 5], [0, 0, 0, 0, 7]])
LABELS = torch.tensor([[0, 0, 1, 1, 2], [0, 2, 0, 1, 1], [0, 0, 0, 0, 0]])
ROWS = [[item for item in row if item] for row in WINDOWS.tolist()]
SHARES = torch.arange(NUM_ITEMS).double() / 28
CASES = {
    "as published": Settings(HEADS, HEADS),
    "icl": Settings(HEADS, HEADS, contrast="icl", readout="mean", correction=False),
    "vcl, raw": Settings(HEADS, HEADS, contrast="vcl", nid_relu=True, rcl="raw"),
    "literal": Settings(HEADS, HEADS, denominator="literal", temperature=0.5),
}


def norm(name):
    return {f"{name}.weight": (D,), f"{name}.bias": (D,)}


def layer(name, *, bias):
    maps = {"attention.query_key_value": (3 * D, D), "attention.output": (D, D)}
    found = {f"{name}.{of}.weight": shape for of, shape in maps.items()}
    if bias:
        found |= {f"{name}.{of}.bias": shape[:1] for of, shape in maps.items()}
    for of, shape in {"expand": (FEEDFORWARD, D), "contract": (D, FEEDFORWARD)}.items():
        found |= {f"{name}.{of}.weight": shape, f"{name}.{of}.bias": shape[:1]}
    return found | norm(f"{name}.attention_norm") | norm(f"{name}.feedforward_norm")


def shapes():
    found = {"item_encoder.fusion.cls": (D,), "sequence_encoder.positions": (LENGTH, D)}
    found |= {"detection.output.weight": (3, D), "detection.output.bias": (3,)}
    found |= norm("sequence_encoder.input_norm") | layer("item_encoder.fusion.layers.0", bias=True)
    for name, width in WIDTHS.items():
        own = f"item_encoder.{name}.projection.output"
        found |= {f"{own}.weight": (D, width), f"{own}.bias": (D,)}
    for number in range(2):
        found |= layer(f"sequence_encoder.layers.{number}", bias=False)
    return found


def block(states, mask):
    """Mixes what is real of a content."""
    mean = (states * mask.unsqueeze(2)).sum(dim=1) / mask.sum(dim=1).clamp(min=1).unsqueeze(1)
    return states + mean.unsqueeze(1)


@pytest.fixture
def form(request):
    torch.manual_seed(0)
    weights = {name: 0.5 * torch.randn(shape).double() for name, shape in shapes().items()}
    contents = {}
    for name, lengths in TOKENS.items():
        real = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
        contents[name] = Contents(torch.randn(*real.shape, WIDTHS[name]).double(), real)
    blocks = dict.fromkeys(MODALITIES, block)
    settings = getattr(request, "param", CASES["as published"])
    network = StraightforwardNetwork(weights, blocks, contents, settings)
    return StraightforwardPmmrec(network, SHARES)


def torchs_own(weights, name, num_layers, activation, eps, *, bias):
    """`nn.TransformerEncoder` with these weights."""
    own = nn.TransformerEncoderLayer(
        D, HEADS, FEEDFORWARD, 0.0, activation, layer_norm_eps=eps, batch_first=True
    )
    encoder = nn.TransformerEncoder(own, num_layers, enable_nested_tensor=False)
    encoder.double().requires_grad_(False)
    copy_layers(encoder, weights, name)
    for number in range(num_layers):
        assert bias == (f"{name}.{number}.attention.output.bias" in weights)
    return encoder


def tokens_of(form, name, item):
    """Those that are there, behind the block and the map; [t, D]."""
    own = form.network.contents[name]
    states = own.states[item][own.real[item]]
    if not len(states):
        return states.new_zeros(0, D)
    weights, prefix = form.network.weights, f"item_encoder.{name}.projection.output"
    mixed = states + states.mean(dim=0)
    return mixed @ weights[f"{prefix}.weight"].T + weights[f"{prefix}.bias"]


def vector(form, item):
    """Of an item, out of the tokens that it has."""
    weights = form.network.weights
    cls = weights["item_encoder.fusion.cls"].unsqueeze(0)
    fusion = torchs_own(weights, "item_encoder.fusion.layers", 1, "gelu", 1e-12, bias=True)
    parts = [tokens_of(form, name, item) for name in MODALITIES]
    if form.network.settings.readout == "cls":
        return fusion(torch.cat([cls, *(part[1:] for part in parts)]).unsqueeze(0))[0, 0]
    tokens = torch.cat(parts) if any(map(len, parts)) else cls
    return fusion(tokens.unsqueeze(0))[0].mean(dim=0)


def states_of(form, items):
    """Of a row's items, without padding; [l, D]."""
    weights = form.network.weights
    positions = weights["sequence_encoder.positions"][LENGTH - len(items) :]
    inputs = torch.stack([vector(form, item) for item in items]) + positions
    prefix = "sequence_encoder.input_norm"
    inputs = F.layer_norm(
        inputs, (D,), weights[f"{prefix}.weight"], weights[f"{prefix}.bias"], 1e-6
    )
    encoder = torchs_own(weights, "sequence_encoder.layers", 2, "relu", 1e-6, bias=False)
    later = torch.ones(len(items), len(items), dtype=torch.bool).triu(1)
    return encoder(inputs.unsqueeze(0), mask=later)[0]


@pytest.mark.parametrize("form", CASES.values(), ids=CASES, indirect=True)
def test_losses_are_those_of_loops_over_what_is_no_padding(form):
    settings = form.network.settings
    items = range(1, NUM_ITEMS)
    vectors = {item: vector(form, item).numpy() for item in items}
    texts, images = (
        {item: tokens_of(form, name, item)[0].numpy() for item in items if TOKENS[name][item]}
        for name in MODALITIES
    )
    clean = [states_of(form, row[:-1]) for row in ROWS]
    after = [[item for item in row if item] for row in CORRUPTED.tolist()]
    noised = [states_of(form, row) for row in after]
    states = {
        (row, column): state.numpy()
        for row, whole in enumerate(clean)
        for column, state in enumerate(whole)
    }
    weights = form.network.weights
    expected = {
        "dap": reference_pmmrec.next_item_among_slots(
            states, vectors, ROWS, SHARES.tolist() if settings.correction else None
        ),
        "contrast": reference_pmmrec.contrast(
            texts,
            images,
            ROWS,
            kind=settings.contrast,
            denominator=settings.denominator,
            temperature=settings.temperature,
        ),
        "nid": reference_pmmrec.noised_item_detection(
            torch.cat(noised).numpy(),
            LABELS[CORRUPTED > 0].tolist(),
            weights["detection.output.weight"].numpy(),
            weights["detection.output.bias"].numpy(),
            relu=settings.nid_relu,
        ),
        "rcl": reference_pmmrec.robust_contrast(
            [one.mean(dim=0).numpy() for one in clean],
            [one.mean(dim=0).numpy() for one in noised],
            similarity=settings.rcl,
            temperature=settings.rcl_temperature,
        ),
    }
    found = {name: loss.item() for name, loss in form.losses(WINDOWS, CORRUPTED, LABELS).items()}
    assert found == pytest.approx(expected, rel=1e-9)


def test_padding_in_front_of_a_row_is_seen_by_nobody(form):
    slots = form.network.slots(WINDOWS)
    real = WINDOWS[:, :-1] > 0
    vectors = slots.vectors.view(*WINDOWS.shape, D)[:, :-1]
    states = form.network.states(vectors, real)
    other = form.network.states(torch.where(real.unsqueeze(2), vectors, 9.0), real)
    assert torch.equal(states[real], other[real])
    assert states.isfinite().all()
