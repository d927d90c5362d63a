"""How many users and items there are in; which models and settings suit that out, with the reasons.

What is known of it, and how well, is said in `docs/cold_items.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ruamel.yaml.comments import CommentedMap

from mmrec.own_data.size import FEW, Size

_LARGE: Final = 100_000
"""Items from which on a training does not score them all."""
_MANY: Final = 50_000
"""Users from which on a validation does not rank for them all."""
_VALIDATED: Final = 10_000
_MOST_SCORES: Final = 2 * 10**9
"""Users times items up to which weights of runs that rank together are found within hours."""
_NEW: Final = 0.05
"""Share of items without interactions from which on it pays to find them."""
_RARE: Final = 0.5
"""Share of items with few interactions from which on runs are better together than alone."""


def follow_recipe(
    params: CommentedMap, name: str, size: Size | None, *, quick: bool = False
) -> Iterator[str]:
    """Leave of the example what suits these numbers; yields what was chosen, and why.

    Args:
        params: a params file as the example has it, changed in place.
        name: of the dataset.
        size: None where it could not be counted: all of the example stays.
        quick: for a first look, which has no run for new or rare items.
    """
    if size is None:
        yield (
            "users and items are not counted while columns are missing; when they are named, run "
            "`mmrec init` again or choose by docs/cold_items.md"
        )
        return
    yield str(size)
    if not quick:
        yield _for_new_items(params, f"{name}-both", size)
        yield _for_rare_items(params, f"{name}-together", size)
    if size.items >= _LARGE:
        yield _for_many_items(params, size)
    elif size.users >= _MANY:
        for model in _trained(params):
            model["finetune"]["validation_users"] = _VALIDATED
        yield f"an epoch is judged by {_VALIDATED:,} users of {size.users:,}, to save time"


def _for_new_items(params: CommentedMap, run: str, size: Size) -> str:
    """IDs and content as one model, where there are new items and pictures of them."""
    share = size.new / max(1, size.items)
    if run not in params["runs"]:
        return "no model is set to find new items: that was seen to work with pictures alone"
    said = f"{share:.0%} of the items have no interaction"
    if share >= _NEW:
        return f"{said}: `{run}` is a model of IDs and content that is set to find them"
    del params["models"][params["runs"][run]["model"]]
    del params["runs"][run]
    return f"{said}: no model is set to find new items"


def _for_rare_items(params: CommentedMap, ensemble: str, size: Size) -> str:
    """Runs that rank together, where IDs alone know too little and their weights are soon found."""
    said = f"{size.hardly_known:.0%} of the items have fewer than {FEW} interactions"
    if size.hardly_known >= _RARE:
        if size.users * size.items <= _MOST_SCORES:
            return f"{said}: `{ensemble}` ranks by IDs, content and words together"
        said += ", but weights for so many users and items would take hours"
    params["ensembles"].clear()
    return f"{said}: no runs rank together"


def _for_many_items(params: CommentedMap, size: Size) -> str:
    """A sample of items in place of all of them; docs/large_catalogues.md has what it costs."""
    for model in _trained(params):
        dear = model["name"] != "sasrec"
        loss = {"name": "in_batch"} if dear else {"name": "sampled", "num_negatives": 1024}
        model["finetune"]["loss"] = flowing(loss)
        model["finetune"]["validation_users"] = 2000
    return f"{size.items:,} items: a training scores a sample of them, and validates on 2,000 users"


def _trained(params: CommentedMap) -> list[Any]:
    return [model for model in params["models"].values() if model["finetune"] is not None]


def flowing(section: dict[str, Any]) -> CommentedMap:
    """A section that is written on one line."""
    found = CommentedMap(
        {key: flowing(one) if isinstance(one, dict) else one for key, one in section.items()}
    )
    found.fa.set_flow_style()
    return found
