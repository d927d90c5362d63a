"""`python -m mmrec.report`: the comparison of all runs on the terminal, and where the page is."""

from __future__ import annotations

import sys
from pathlib import Path

from mmrec.io import DataError
from mmrec.params.file import load_params
from mmrec.paths import Paths
from mmrec.report.collect import collect_pretrainings, collect_runs
from mmrec.report.identities import shortfalls
from mmrec.report.tables import comparison_rows, format_comparison


def main() -> None:
    """Print the comparison of the project in this folder."""
    paths = Paths(Path())
    try:
        params = load_params(paths.params)
        pretrainings = collect_pretrainings(params, paths)
        runs = collect_runs(params, paths, pretrainings)
    except (DataError, ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    marks = "".join(f"! {line}\n" for line in shortfalls([*pretrainings.values()], runs))
    table = format_comparison(comparison_rows(runs))
    sys.stdout.write(f"\n{table}{marks}\nreport: {paths.page}\n")


if __name__ == "__main__":
    main()
