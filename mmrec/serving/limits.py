"""How much a request may ask for: no request may take all memory, or the thread that ranks."""

from __future__ import annotations

from typing import Final

BODY_BYTES: Final = 1 << 20
BODY_SECONDS: Final = 10.0
"""In which a body must have come."""
HISTORIES: Final = 100
"""Histories or users of a request, and items that others are to be like."""
ITEMS: Final = 1000
"""Of a history; models read the last some dozens."""
K: Final = 100
FILTER_IDS: Final = 50_000
ID_LENGTH: Final = 1000
"""Characters of an id or a category."""
WORDS_LENGTH: Final = 200
"""Characters of the words of a search."""

WAITING: Final = 32
"""Requests that may wait for the thread that ranks."""
PICTURES_WAITING: Final = 256
"""The same for the thread that makes pictures small: a page asks for dozens at once."""
PICTURES_KEPT: Final = 2000
"""Small pictures in memory, some 10 MB."""
CONNECTIONS: Final = 512
