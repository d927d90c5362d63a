"""MovieLens 100K through the whole pipeline: `python -m benchmarks.movielens_100k <folder>`.

The folder holds the published files (`u.data`, `u.item`) and `tmdb_metadata.csv`. Work and
results stay in `.mmrec/workspaces/movielens-100k`; a second call runs only what changed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mmrec.study.workspace import PROJECT, make_workspace, stream

WORKSPACE = PROJECT / ".mmrec" / "workspaces" / "movielens-100k"


def main(source: Path) -> None:
    """Make the workspace, run the pipeline, print the comparison."""
    params = (PROJECT / "examples" / "movielens-100k.yaml").read_text(encoding="utf-8")
    folder = make_workspace(WORKSPACE, params, {"ml-100k": source})
    stream(folder, "-m", "dvc", "repro")
    stream(folder, "-m", "mmrec.report")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
