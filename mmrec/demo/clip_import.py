"""The one place of the demo that imports open_clip, which is heavy and not always installed."""

from typing import Any


def import_open_clip() -> Any:
    """Import open_clip with the torchvision operators it needs."""
    from mmrec.torchvision_schemas import define_missing_operators

    define_missing_operators()
    import open_clip

    return open_clip
