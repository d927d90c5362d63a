"""mmrec: offline multimodal features and sequential recommendation, driven by DVC.

For programs and notebooks: `open_run`, `open_dataset`, `open_feature`, `fit`, `export_run` and
`Filters`; see docs/library.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmrec.library.dataset import open_dataset
    from mmrec.library.exporting import export_run
    from mmrec.library.feature import open_feature
    from mmrec.library.filters import Filters
    from mmrec.library.fitting import fit
    from mmrec.library.opening import open_run

__all__ = ["Filters", "export_run", "fit", "open_dataset", "open_feature", "open_run"]


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: torch takes seconds."""
    match name:
        case "Filters":
            from mmrec.library import filters

            return filters.Filters
        case "export_run":
            from mmrec.library import exporting

            return exporting.export_run
        case "fit":
            from mmrec.library import fitting

            return fitting.fit
        case "open_dataset":
            from mmrec.library import dataset

            return dataset.open_dataset
        case "open_feature":
            from mmrec.library import feature

            return feature.open_feature
        case "open_run":
            from mmrec.library import opening

            return opening.open_run
        case _:
            raise AttributeError(f"module 'mmrec' has no attribute {name!r}")
