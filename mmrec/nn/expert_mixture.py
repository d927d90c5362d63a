"""Outputs of all experts and their gates in, the mixture out, with a backward pass of its own.

Shapes: n items, c items of a chunk, O experts, D embedding_dim.

The outputs are O times as wide as the embeddings, and autograd walks over them some twenty times.
Here a chunk at a time goes through all steps while it is in the cache, and two arrays of that
width remain for the backward pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmrec.nn.dropout import dropout

# Outputs at once: 1 MiB in float32 stays in the cache of a core.
CHUNK_VALUES = 1 << 18


def mixture(
    joint: Tensor, norm_weight: Tensor, norm_bias: Tensor, *, eps: float, drop: float
) -> Tensor:
    """Sum over experts of gate times normalised output; on a CPU.

    Args:
        joint: outputs of the experts, and behind them the logits of their gates, [n, O * D + O].
        norm_weight: scale of each expert's layer norm, [O, D].
        norm_bias: [O, D].
        eps: of the layer norms.
        drop: share of the outputs that is dropped before the norms; 0 outside training.

    Returns:
        Embeddings [n, D].
    """
    with torch.autocast(joint.device.type, enabled=False):
        joint = joint.to(norm_weight.dtype)
        mixed: Tensor = _Mixture.apply(  # type: ignore[no-untyped-call]
            joint, norm_weight, norm_bias, eps, drop
        )
        return mixed


class _Mixture(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, joint: Tensor, norm_weight: Tensor, norm_bias: Tensor, eps: float, drop: float
    ) -> Tensor:
        num_items, shape = len(joint), norm_weight.shape
        width = norm_weight.numel()
        gates = joint[:, width:].softmax(dim=1)  # [n, O]
        mixed = gates @ norm_bias  # [n, D]
        normed = joint.new_empty(num_items, *shape)
        noise = joint.new_empty(num_items if drop else 0, *shape)
        scales = torch.empty_like(gates)  # [n, O]
        for own in _chunks(num_items, width):
            outputs = joint[own, :width].view(-1, *shape)  # [c, O, D]
            if drop:
                noise[own] = dropout(torch.ones_like(outputs), drop, training=True)
                outputs = outputs * noise[own]
            centred = torch.sub(outputs, outputs.mean(dim=2, keepdim=True), out=normed[own])
            variance = centred.square().mean(dim=2)  # [c, O]
            scales[own] = (variance + eps).rsqrt_()
            centred.mul_(scales[own].unsqueeze(2))
            mixed[own] += (centred * norm_weight).mul_(gates[own].unsqueeze(2)).sum(dim=1)
        ctx.save_for_backward(normed, noise, scales, gates, norm_weight, norm_bias)
        return mixed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        normed, noise, scales, gates, norm_weight, norm_bias = ctx.saved_tensors
        num_items, (num_experts, dim) = len(normed), norm_weight.shape
        width = num_experts * dim
        joint_grad = gradient.new_empty(num_items, width + num_experts)
        weight_grad = torch.zeros_like(norm_weight)
        means = gradient @ norm_weight.T / dim  # [n, O]
        gates_grad = gradient @ norm_bias.T  # [n, O]
        for own in _chunks(num_items, width):
            by_output = gradient[own].unsqueeze(1) * normed[own]  # [c, O, D]
            products = (by_output * norm_weight).sum(dim=2)  # [c, O]
            gates_grad[own] += products
            weight_grad += by_output.mul_(gates[own].unsqueeze(2)).sum(dim=0)
            # Layer norm: what is left of the gradient without its mean and without its part
            # along the normalised output.
            inner = joint_grad[own, :width].view(-1, *norm_weight.shape)  # [c, O, D]
            torch.mul(gradient[own].unsqueeze(1), norm_weight, out=inner)
            inner.sub_(means[own].unsqueeze(2))
            inner.addcmul_(normed[own], products.div_(dim).unsqueeze(2), value=-1)
            inner.mul_((gates[own] * scales[own]).unsqueeze(2))
            if len(noise):
                inner.mul_(noise[own])
        average = (gates * gates_grad).sum(dim=1, keepdim=True)
        joint_grad[:, width:] = gates * (gates_grad - average)
        return joint_grad, weight_grad, gates.T @ gradient, None, None


def _chunks(num_items: int, width: int) -> Iterator[slice]:
    size = max(1, CHUNK_VALUES // width)
    return (slice(start, start + size) for start in range(0, num_items, size))
