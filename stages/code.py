"""code: `mmrec/` and `stages/` -> for each stage, the code that its result can depend on."""

from __future__ import annotations

from mmrec.io import write_text
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, run


def main(params: Params, paths: Paths) -> Summary:
    """Write the files by which DVC sees what a change of the code touches."""
    from mmrec.code.pipeline import closures

    found = closures(paths.pipeline, params.model_dump())
    for name, closure in found.items():
        write_text(closure.text, paths.root / name)
    return {"files": len(found)}


if __name__ == "__main__":
    run(main)
