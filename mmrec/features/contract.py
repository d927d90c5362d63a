"""What a frozen extractor promises, and the fingerprint that says how its vectors came about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor
    from torch.nn import Module

FloatArray: TypeAlias = npt.NDArray[np.float32]
IntArray: TypeAlias = npt.NDArray[np.int64]

T_contra = TypeVar("T_contra", contravariant=True)


@dataclass(frozen=True)
class Fingerprint:
    """Everything that decides a vector besides its content, and nothing that does not.

    Equal fingerprints mean interchangeable vectors. Batch size, device, folders and library
    versions are not in it.
    """

    extractor: str
    version: int
    """Raised by hand whenever the code of the extractor changes its vectors."""
    model: str
    architecture: str
    """Digest of the model's configuration."""
    weights: str
    """Digest of the parameters that take part."""
    preprocessing: str
    """How a content becomes tensors: settings, or the digest of a tokenizer."""
    pooling: str
    normalize: bool
    dim: int
    precision: str = "float32"
    """Number format of the vectors as they are kept."""

    def to_json(self) -> str:
        """Canonical JSON: equal fingerprints, equal text."""
        return canonical_json(asdict(self))

    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hex."""
        return sha256(self.to_json().encode()).hexdigest()

    def kept_as(self, precision: str) -> Self:
        """The fingerprint of the same vectors stored in another number format."""
        return replace(self, precision=precision)


class Extractor(Protocol[T_contra]):
    """A frozen model that turns contents into vectors, one by one.

    A vector depends on its content alone: whatever else is encoded with it, in whatever order,
    the bits are the same on one machine. No content is decoded before it is needed.
    """

    @property
    def fingerprint(self) -> Fingerprint:
        """How the vectors come about."""
        ...

    @property
    def libraries(self) -> Mapping[str, str]:
        """Versions of the libraries in use: recorded beside the fingerprint, not in it."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    @property
    def level(self) -> Literal["vectors"]:
        """What one content becomes."""
        ...

    def encode(self, contents: Iterable[T_contra]) -> FloatArray:
        """Vectors [n, dim] in the order of the contents."""
        ...


@dataclass(frozen=True)
class TokenStates:
    """The states of any number of tokens for each of n contents; none is padding."""

    values: FloatArray
    """[sum of lengths, dim], content after content."""
    lengths: IntArray
    """[n] tokens of each content, 0 allowed."""

    @classmethod
    def of(cls, states: Sequence[FloatArray], dim: int) -> Self:
        """Join the states [P, dim] of each content."""
        values = np.concatenate([np.empty((0, dim), np.float32), *states])
        return cls(values, np.array([len(one) for one in states], np.int64))

    def split(self) -> list[FloatArray]:
        """The states [P, dim] of each content, as views."""
        return np.split(self.values, self.lengths.cumsum()[:-1]) if len(self.lengths) else []


@dataclass(frozen=True)
class BlocksPlan:
    """What is needed to build the last blocks of a model, besides their weights."""

    input: Literal["text", "image", "pair"]
    """What the model reads: it says which tower of a model of both."""
    below_last: int
    """How many blocks; with 0 there are none, and states are the model's final ones."""
    config: dict[str, Any]
    """Of the model."""
    num_image_tokens: int
    """Tokens of the picture in front of those of the text, for a pair; 0 for other inputs."""


class TokenExtractor(Protocol[T_contra]):
    """A frozen model that turns each content into the states of its tokens.

    States depend on their content alone, to the last bits of a float.
    """

    @property
    def fingerprint(self) -> Fingerprint:
        """How the states come about; `pooling` says which layer and which tokens."""
        ...

    @property
    def libraries(self) -> Mapping[str, str]:
        """Versions of the libraries in use: recorded beside the fingerprint, not in it."""
        ...

    @property
    def dim(self) -> int:
        """Length of the state of one token."""
        ...

    @property
    def level(self) -> Literal["tokens"]:
        """What one content becomes."""
        ...

    @property
    def last_blocks(self) -> Module:
        """What turns these states into the model's final ones: `(states, mask) -> states`."""
        ...

    @property
    def blocks_plan(self) -> BlocksPlan:
        """How the last blocks can be built without the model."""
        ...

    def encode(self, contents: Iterable[T_contra]) -> TokenStates:
        """States of the contents, in their order."""
        ...


class TextImagePair(NamedTuple):
    """What a vision-language model reads of one item."""

    text: str
    image: Image


TextExtractor: TypeAlias = Extractor[str]
ImageExtractor: TypeAlias = "Extractor[Image]"
TextTokenExtractor: TypeAlias = TokenExtractor[str]
ImageTokenExtractor: TypeAlias = "TokenExtractor[Image]"
PairTokenExtractor: TypeAlias = TokenExtractor[TextImagePair]


def canonical_json(value: object) -> str:
    """JSON without whitespace, keys sorted; what JSON does not know is written as text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def text_digest(text: str) -> str:
    """SHA-256 of a text, in hex."""
    return sha256(text.encode()).hexdigest()


def weights_digest(named: Iterable[tuple[str, Tensor]]) -> str:
    """SHA-256 over names, types, shapes and values, whatever file format they came in."""
    digest = sha256()
    for name, tensor in sorted(named, key=lambda pair: pair[0]):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(_bytes_of(tensor))
    return digest.hexdigest()


def _bytes_of(tensor: Tensor) -> bytes:
    import torch

    return tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes()


def library_versions(*names: str) -> dict[str, str]:
    """Installed versions of the named distributions."""
    return {name: version(name) for name in names}
