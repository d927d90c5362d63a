"""Slow versions of the fast code, written as the papers write it: loops, no tricks.

Everything is differentiable by autograd, so that gradients can be compared as well.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F


def cosine(a, b):
    """Cosine of the angle between two vectors."""
    return (a @ b) / (a.norm() * b.norm())


def _negative(value, j, other, targets, temperature, rule):
    """f of a pair of samples under the rule for equal targets; None leaves the pair out."""
    if j != other and targets[j] == targets[other]:
        if rule == "dropped":
            return None
        if rule == "zero_logit":
            return torch.exp(value * 0)
    return torch.exp(value / temperature)


def next_item_prediction(views, items, targets, *, temperature, same_target_negatives):
    """MP4SR eq. 7 and 8, one pair at a time."""
    total = 0
    for j in range(len(targets)):
        numerator = sum(torch.exp(cosine(view[j], items[j]) / temperature) for view in views)
        denominator = 0
        for other in range(len(targets)):
            for view in views:
                value = cosine(view[j], items[other])
                term = _negative(value, j, other, targets, temperature, same_target_negatives)
                denominator = denominator + (0 if term is None else term)
        total = total - torch.log(numerator / denominator)
    return total / len(targets)


def cross_modal_contrastive(
    first, second, targets, *, temperature, denominator, same_target_negatives
):
    """MP4SR eq. 9 and 10, one pair at a time, both directions."""

    def term(a, b, j, other):
        return _negative(
            cosine(a[j], b[other]), j, other, targets, temperature, same_target_negatives
        )

    total = 0
    for a, b in ((first, second), (second, first)):
        for j in range(len(targets)):
            inter = (first, second) if denominator == "released" else (a, b)
            terms = [term(*inter, j, other) for other in range(len(targets))]
            others = [other for other in range(len(targets)) if other != j]
            if denominator in ("gca", "released"):
                terms += [term(a, a, j, other) for other in others]
            if denominator == "literal":
                terms += [term(a, b, j, other) for other in others]
            below = sum(value for value in terms if value is not None)
            total = total - torch.log(term(a, b, j, j) / below)
    return total / (2 * len(targets))


def full_cross_entropy(queries, table, targets):
    """Minus log of the target's share of exp(score), among items 1 and up."""
    total = 0
    for query, target in zip(queries, targets, strict=True):
        powers = [torch.exp(query @ row) for row in table[1:]]
        total = total - torch.log(powers[target - 1] / sum(powers))
    return total / len(targets)


def attention_pooling(rows, hidden, hidden_bias, score, score_bias, *, padded_to=0):
    """Pool the rows [k, d] of one item through two linear maps; zero rows pad to `padded_to`."""
    padding = rows.new_zeros(max(padded_to - len(rows), 0), rows.shape[1])
    rows = torch.cat([rows, padding])
    scores = torch.stack([(row @ hidden + hidden_bias) @ score + score_bias for row in rows])
    powers = torch.exp(scores)
    return sum(power * row for power, row in zip(powers, rows, strict=True)) / powers.sum()


def mixture_of_experts(pooled, module):
    """One item vector [d] through every expert of a `MixtureOfExperts`, one expert at a time."""
    num_experts, embedding_dim = module.norm_weight.shape
    gates = torch.exp(module.gate.weight @ pooled)
    gates = gates / gates.sum()
    total = 0
    for k in range(num_experts):
        rows = slice(k * embedding_dim, (k + 1) * embedding_dim)
        output = module.experts.weight[rows] @ pooled + module.experts.bias[rows]
        centred = output - output.mean()
        normed = centred / torch.sqrt((centred**2).mean() + 1e-12)
        total = total + gates[k] * (normed * module.norm_weight[k] + module.norm_bias[k])
    return total


def sequence_encoder(module, inputs, valid, *, direction="causal", positions=None):
    """Padded [B, L, D], on either side, through a `SequenceEncoder`, with masks.

    `positions` [L, D] are added to every row; None takes the first L of the module's.
    """
    length = inputs.shape[1]
    if positions is None:
        positions = module.positions[:length]
    return transformer(module.layers, module.input_norm(inputs + positions), valid, direction)


def transformer(layers, states, valid, direction):
    """Padded [B, L, D] through transformer layers with a (causal and) key-padding mask."""
    length = states.shape[1]
    seen = torch.ones(length, length, dtype=torch.bool)
    seen = seen.tril() if direction == "causal" else seen
    # Everyone sees itself, so that the softmax of a padded position is defined; nobody reads it.
    allowed = (seen & valid.unsqueeze(1)) | torch.eye(length, dtype=torch.bool)  # [B, query, key]
    for layer in layers:
        states = layer.attention_norm(states + _attention(layer.attention, states, allowed))
        expanded = layer.expand(states)
        inner = F.relu(expanded) if layer.activation == "relu" else F.gelu(expanded)
        states = layer.feedforward_norm(states + layer.contract(inner))
    return states


def _attention(module, states, allowed):
    joint = module.query_key_value(states)
    query, key, value = joint.chunk(3, dim=-1)
    width = states.shape[-1] // module.num_heads
    heads = []
    for head in range(module.num_heads):
        part = slice(head * width, (head + 1) * width)
        scores = query[..., part] @ key[..., part].transpose(1, 2) / math.sqrt(width)
        weights = scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1)
        heads.append(weights @ value[..., part])
    return module.output(torch.cat(heads, dim=-1))


def convolutional_encoder(module, inputs, valid):
    """Left-padded [B, L, D] through a `ConvolutionalEncoder`: torch's `conv1d`, zeros on the left.

    Padded positions are zeroed before each convolution.
    """
    states = inputs
    for block in module.blocks:
        inner = states
        for convolution, norm in (
            (block.first, block.first_norm),
            (block.second, block.second_norm),
        ):
            width = inputs.shape[-1]
            kernel = convolution.weights.weight.view(width, 3, width).transpose(
                1, 2
            )  # [out, in, 3]
            rows = (inner * valid.unsqueeze(-1)).transpose(1, 2)  # [B, D, L]
            rows = F.pad(rows, (2 * convolution.dilation, 0))
            convolved = F.conv1d(
                rows, kernel, convolution.weights.bias, dilation=convolution.dilation
            )
            inner = F.relu(norm(convolved.transpose(1, 2)))
        states = states + inner
    return states


def step_states(states, steps, num_steps, absent):
    """Largest value of each step's token states, feature by feature, one step at a time."""
    found = []
    for step in range(num_steps):
        own = [state for state, of in zip(states, steps, strict=True) if of == step]
        found.append(torch.stack(own).max(dim=0).values if own else absent)
    return torch.stack(found)


def recurrent_encoder(module, inputs):
    """Sequences [B, L, D] through a `RecurrentEncoder`, gate by gate, without dropout."""
    layers = zip(*[iter(module.gru.parameters())] * 2, strict=True)
    for from_input, from_state in layers:
        state = inputs.new_zeros(len(inputs), from_state.shape[1])
        states = []
        for step in inputs.unbind(dim=1):
            reset_in, update_in, new_in = (step @ from_input.T).chunk(3, dim=1)
            reset_state, update_state, new_state = (state @ from_state.T).chunk(3, dim=1)
            update = torch.sigmoid(update_in + update_state)
            candidate = torch.tanh(new_in + torch.sigmoid(reset_in + reset_state) * new_state)
            state = (1 - update) * candidate + update * state
            states.append(state)
        inputs = torch.stack(states, dim=1)
    return module.output(inputs)


def ranks(scores, targets):
    """Rank of each target among items 1 and up, best is 1; an equal score loses."""
    found = []
    for row, target in zip(scores.tolist(), targets.tolist(), strict=True):
        others = [score for item, score in enumerate(row) if item not in (0, target)]
        found.append(1 + sum(score >= row[target] for score in others))
    return found


def sampled_softmax(queries, table, targets, items, weights):
    """Minus log of the target's share among itself and the other items, weighted; one by one."""
    total = 0
    for query, target in zip(queries, targets.tolist(), strict=True):
        own = torch.exp(query @ table[target])
        below = own
        for item, weight in zip(items.tolist(), weights, strict=True):
            if item != target:
                below = below + weight * torch.exp(query @ table[item])
        total = total - torch.log(own / below)
    return total / len(targets)


def binary_cross_entropy(queries, table, targets, negatives):
    """Mean of -log sigmoid(q . target) - log(1 - sigmoid(q . negative)), one by one; 0 = none."""
    total = 0
    for query, target, negative in zip(queries, targets.tolist(), negatives.tolist(), strict=True):
        total = total - torch.log(1 / (1 + torch.exp(-(query @ table[target]))))
        if negative:
            total = total - torch.log(1 - 1 / (1 + torch.exp(-(query @ table[negative]))))
    return total / len(targets)


def in_batch_sequences(queries, table, sequences, places, shares):
    """PMMRec's DAP, one (position, row) of the batch at a time.

    `sequences` are whole rows of items, 0 is padding; `places` are (row, column) of each query's
    target. Scores are diminished by the log of the item's share, where shares are given.
    """
    total = 0
    for query, (own_row, own_column) in zip(queries, places, strict=True):
        powers, right = [], None
        for row, items in enumerate(sequences):
            for column, item in enumerate(items):
                is_right = (row, column) == (own_row, own_column)
                if item == 0 or (item in sequences[own_row] and not is_right):
                    continue
                score = query @ table[item]
                if shares is not None:
                    score = score - math.log(shares[item])
                powers.append(torch.exp(score))
                right = powers[-1] if is_right else right
        total = total - torch.log(right / sum(powers))
    return total / len(queries)
