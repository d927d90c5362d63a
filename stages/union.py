"""union: the raw tables of two datasets -> one raw folder, ids prefixed with their names."""

from __future__ import annotations

from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Merge the two sides of union `key`."""
    from mmrec.data.union import merge_raw

    union = entry(params.unions, key, "unions")
    return merge_raw(
        paths.dataset(union.left).raw,
        paths.dataset(union.right).raw,
        left_name=union.left,
        right_name=union.right,
        out=paths.union(key),
    )


if __name__ == "__main__":
    run(main)
