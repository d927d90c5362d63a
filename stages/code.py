"""code: `mmrec/` and `stages/` -> for each stage, the code that its result can depend on."""

from __future__ import annotations

from mmrec.io import write_text
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, run


def main(params: Params, paths: Paths) -> Summary:
    """Write the files by which DVC sees what a change of the code touches."""
    from mmrec.code.pipeline import code_files

    files = code_files(paths.pipeline, params.model_dump())
    for name, text in files.items():
        write_text(text, paths.root / name)
    return {"files": len(files)}


if __name__ == "__main__":
    run(main)
