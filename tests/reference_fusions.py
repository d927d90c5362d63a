"""Fusions of text and image, one item at a time: vectors with numpy, tokens with loops.

What takes tokens is differentiable by autograd, so that gradients can be compared as well.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from tests import reference


def summation(weights, text, image):
    """Of `Summation`; vectors [D]."""
    text, image = (_normed(weights, vector) for vector in (text, image))
    return _mapped(weights, "text", text) + _mapped(weights, "image", image)


def concatenation(weights, text, image):
    """Of `Concatenation`; vectors [D]."""
    text, image = (_normed(weights, vector) for vector in (text, image))
    return _mapped(weights, "output", np.concatenate([text, image]))


def film(weights, text, image):
    """Of `FiLM`; vectors [D]."""
    text, image = (_normed(weights, vector) for vector in (text, image))
    both = _mapped(weights, "scale_shift", text)
    gamma, beta = both[: len(text)], both[len(text) :]
    return _mapped(weights, "output", gamma * image + beta)


def gate(weights, text, image):
    """Of `Gate`; vectors [D]."""
    text, image = (_normed(weights, vector) for vector in (text, image))
    share = 1 / (1 + np.exp(-_mapped(weights, "text", text)))
    return _mapped(weights, "output", share * _mapped(weights, "image", image))


def dnn(weights, vector):
    """Of `Dnn`, without dropout; [D]."""
    for layer in range(3):
        vector = np.maximum(_mapped(weights, f"layers.{layer}", vector), 0)
    return vector


def _normed(weights, vector):
    centred = vector - vector.mean()
    scaled = centred / np.sqrt((centred**2).mean() + 1e-6)
    return scaled * weights["norm.weight"] + weights["norm.bias"]


def _mapped(weights, name, vector):
    return weights[f"{name}.weight"] @ vector + weights[f"{name}.bias"]


def co_attention(module, text, image):
    """Vector [D] of one item by a `CoAttention`; its tokens [t, D] and [v, D], possibly none."""
    streams = []
    for modality, tokens in enumerate((text, image)):
        if not len(tokens):
            tokens = module.absent[modality : modality + 1]
        streams.append(tokens + module.types[modality])
    text, image = streams
    for block in module.layers:
        text, image = (
            _crossed(block, text, image),
            _crossed(block, image, text),
        )
        text, image = _transformed(block.text, text), _transformed(block.image, image)
    means = torch.cat([text.sum(dim=0) / len(text), image.sum(dim=0) / len(image)])
    return module.output.weight @ means + module.output.bias


def _crossed(block, own, other):
    """Each token [D] of the one stream with what it finds in the other, normed."""
    maps = block.cross_attention
    weights, biases = maps.query_key_value.weight.chunk(3), maps.query_key_value.bias.chunk(3)
    queries = [weights[0] @ token + biases[0] for token in own]
    keys, values = (
        torch.stack([weights[part] @ token + biases[part] for token in other]) for part in (1, 2)
    )
    width = own.shape[1] // maps.num_heads
    found = []
    for token, query in zip(own, queries, strict=True):
        heads = []
        for head in range(maps.num_heads):
            part = slice(head * width, (head + 1) * width)
            powers = torch.exp(keys[:, part] @ query[part] / math.sqrt(width))
            heads.append(powers @ values[:, part] / powers.sum())
        crossed = maps.output.weight @ torch.cat(heads) + maps.output.bias
        found.append(block.cross_norm(token + crossed))
    return torch.stack(found)


def _transformed(layer, tokens):
    """Tokens [t, D] through a `TransformerLayer`."""
    valid = torch.ones(1, len(tokens), dtype=torch.bool)
    return reference.transformer([layer], tokens.unsqueeze(0), valid, "both")[0]


def assert_same_with_gradients(fast, slow, wanted):
    """Two ways to the same values have the same gradients, none of them all zeros."""
    torch.testing.assert_close(fast, slow)
    weight = torch.randn_like(slow)
    found, expected = (torch.autograd.grad((one * weight).sum(), wanted) for one in (fast, slow))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
        assert ours.abs().max() > 0
