"""What `python -m mmrec.knockouts` found of a run, if anything, for the page."""

from __future__ import annotations

from mmrec.io import read_json
from mmrec.params.pipeline import Params
from mmrec.params.run_settings import run_settings
from mmrec.paths import Paths
from mmrec.report.runs import KnockoutReport
from mmrec.report.shapes import KnockedOut
from mmrec.report.tables import part_name
from mmrec.run_paths import knockouts_of


def load_knockouts(params: Params, paths: Paths, name: str) -> KnockoutReport | None:
    """The knock-outs of a run; None where nobody asked for them.

    Raises:
        DataError: the file is not what it must be.
    """
    path = knockouts_of(paths.run(name))
    if not path.is_file():
        return None
    found = read_json(path, KnockedOut)
    then, now = found["settings"], run_settings(params, name)
    return KnockoutReport(
        run=name,
        seeds=found["seeds"],
        parts={part_name(of_part["part"]): of_part for of_part in found["parts"]},
        changed=[section for section in now if then.get(section) != now[section]],
    )
