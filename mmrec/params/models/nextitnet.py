"""Settings of NextItNet, as published but where a field says so."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from mmrec.params.next_item import NextItemParams
from mmrec.params.section import FROM_LIST
from mmrec.params.training import SequenceArchitecture


class NextitnetArchitecture(SequenceArchitecture):
    """Dilated convolutions over item embeddings; no dropout."""

    embedding_dim: PositiveInt = 64
    """The authors tune it from 64 to 256; 64 in RecBole."""
    dilations: Annotated[tuple[PositiveInt, ...], FROM_LIST, Field(min_length=1)] = (1, 4, 1, 4)
    """A residual block each: its first convolution's dilation, the second has twice that. A state
    knows 1 + 6 times their sum of items, here 61; the released script has 1, 2, 1, 2, 1, 2, RecBole
    1, 4 five times."""
    tied: bool = True
    """Items are scored by the embeddings that are read, as in RecBole; false is the paper's, an
    output matrix of their own."""


class NextitnetParams(NextItemParams):
    """NextItNet, from item IDs alone."""

    name: Literal["nextitnet"]
    architecture: NextitnetArchitecture
