"""The small shop of the library's tests."""

from tests.library.conftest import runs, shop

__all__ = ["runs", "shop"]
