"""Words or a picture that somebody looks for in; what an extractor reads of them out."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from PIL.Image import Image

from mmrec.data.images import ImageError, decode_image
from mmrec.data.sentences import repair_line
from mmrec.io import DataError


class Query(NamedTuple):
    """What is looked for."""

    name: str
    """What messages and lists call it."""
    content: str | Image
    """Words, or a picture."""

    @property
    def kind(self) -> str:
        """`words` or `pictures`."""
        return "words" if isinstance(self.content, str) else "pictures"


def read_query(words: str | None, picture: Path | str | bytes | None) -> Query:
    """Words, cleaned as texts of items are, or a picture, decoded as theirs are.

    Args:
        words: None where there is a picture.
        picture: a file, or what is in one; None where there are words.

    Raises:
        ValueError: there are neither or both, or nothing is left of the words.
        DataError: the picture is not there, or is none.
    """
    if words is not None and picture is None:
        repaired = repair_line(words)
        if not repaired:
            raise ValueError(f"words: found {words!r}, expected what to look for")
        return Query(repaired, repaired)
    if picture is None or words is not None:
        found = "neither" if picture is None else "both"
        raise ValueError(f"words or picture: found {found}, expected one of them")
    name = "picture" if isinstance(picture, bytes) else str(picture)
    try:
        data = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
        return Query(name, decode_image(data))
    except FileNotFoundError:
        raise DataError(f"{name}: file not found; name a picture") from None
    except ImageError as error:
        raise DataError(f"{name}: {error.reason}; take another picture") from None
