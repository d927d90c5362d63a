"""Features of a run's catalogue, checked: those that a model reads are there and fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mmrec.features.table import FeatureTable
from mmrec.features.token_table import TokenTable
from mmrec.models.data import ModelData
from mmrec.params.training import Modality


def features_of(
    data: ModelData, modalities: Iterable[Modality], model: str
) -> dict[Modality, FeatureTable]:
    """Vectors of the modalities that a model reads; others are not loaded.

    Raises:
        ValueError: the run has no such feature, or one of another catalogue.
    """
    tables = {name: data.features[name].vectors for name in modalities}
    require_features(tables, data, model)
    return tables


def require_features(
    tables: Mapping[Modality, FeatureTable | TokenTable], data: ModelData, model: str
) -> None:
    """Refuse what cannot be read of the modalities that a model reads.

    Raises:
        ValueError: the run has no such feature, or one of another catalogue.
    """
    for name, table in tables.items():
        if table.dim == 0:
            raise ValueError(
                f"{model} reads {name} features, the run has {name}: none; name a feature, or "
                "read the other alone (modality)"
            )
        require_same_catalogue(name, table, data.num_items)


def require_same_catalogue(
    name: Modality, table: FeatureTable | TokenTable, num_items: int
) -> None:
    """Refuse features of other items.

    Raises:
        ValueError: they are of more or fewer.
    """
    if table.num_items != num_items:
        raise ValueError(
            f"{name} features are of {table.num_items} items, the catalogue has "
            f"{num_items} (padding included); load them for this catalogue"
        )
