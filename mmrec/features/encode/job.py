"""What is to be encoded, cut into units by whoever does it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar, cast

from mmrec.features.contract import Fingerprint, IntArray
from mmrec.features.prefetch import Prefetched

R = TypeVar("R")
T = TypeVar("T")
E = TypeVar("E")
T_contra = TypeVar("T_contra", contravariant=True)
E_co = TypeVar("E_co", covariant=True)

FIRST_UNIT: Final = 256
LARGEST_UNIT: Final = 65_536


class Encoder(Protocol[T_contra, E_co]):
    """What extractors of vectors and of token states have in common."""

    @property
    def fingerprint(self) -> Fingerprint:
        """How the results come about."""
        ...

    @property
    def libraries(self) -> Mapping[str, str]:
        """Versions of the libraries in use."""
        ...

    def encode(self, contents: Iterable[T_contra]) -> E_co:
        """The results of the contents, in their order."""
        ...


@dataclass(frozen=True)
class Job(Generic[R, T, E]):
    """Contents to encode: raw, as they are drawn here, and what makes them what a model reads."""

    places: IntArray
    """Which contents, in the order in which they are best encoded."""
    draw: Callable[[IntArray], Iterable[R]]
    """The raw contents of some places, in the order asked for: small, and fit to travel."""
    prepare: Callable[[R], T] | None
    """From raw to content, called where the model is and by several threads; None is nothing."""
    extractor: Encoder[T, E]
    item_of: Callable[[int], str]
    """An item that has the content at a place, for messages."""
    advance: Callable[[int], object] = lambda _: None
    """Told how many more contents are on their way or done."""
    largest_unit: int = LARGEST_UNIT
    """Contents whose results are held at once."""


class Executor(Protocol):
    """Encodes jobs, cut into units as it sees fit: no result depends on how."""

    def encode(self, job: Job[Any, Any, E]) -> Generator[tuple[IntArray, E]]:
        """The results of every unit with its places, in whatever order units finish."""
        ...


def prepared(raw: Iterable[R], prepare: Callable[[R], T] | None) -> Iterable[T]:
    """What a model reads, made of raw contents while the model computes."""
    return cast("Iterable[T]", raw) if prepare is None else Prefetched(prepare, raw)
