"""Slow and obvious: ranks by comparing one score at a time, metrics by their definition."""

import math


def rank(scores, target, history=()):
    """Items (not padding) that score at least as high; history items but the target are out."""
    rank = 0
    for item in range(1, len(scores)):
        hidden = item in history and item != target
        if not hidden and scores[item] >= scores[target]:
            rank += 1
    return rank


def rank_with_seen_at_0(scores, target, history):
    """Items that score at least as high; those of the history but the target score 0."""
    seen = {*history} - {target}
    others = [0.0 if item in seen else scores[item] for item in range(1, len(scores))]
    return sum(score >= scores[target] for score in others)


def metric(ranks, name):
    kind, _, cutoff = name.partition("@")
    total = 0.0
    for one in ranks:
        if not cutoff or one <= int(cutoff):
            total += {"recall": 1, "ndcg": 1 / math.log2(one + 1), "mrr": 1 / one}[kind]
    return total / len(ranks)
