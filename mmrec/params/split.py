"""In which order a user's interactions stand, and which of them train, validate and test."""

from __future__ import annotations

from typing import Literal

TieOrder = Literal["file", "item", "random"]
"""Order of a user's interactions at equal times: that of the source's rows, that of item ids, or
one drawn for each user."""
