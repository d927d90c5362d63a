"""`python -m mmrec.report`: the comparison of all runs on the terminal, and where the page is."""

from __future__ import annotations

import sys
from pathlib import Path

from mmrec.io import DataError
from mmrec.params.file import ParamsError, load_params
from mmrec.paths import Paths
from mmrec.report.collect import collect_runs
from mmrec.report.tables import comparison_rows, format_comparison


def main() -> None:
    """Print the comparison of the project in this folder."""
    paths = Paths(Path())
    try:
        runs = collect_runs(load_params(paths.params), paths)
    except (ParamsError, DataError) as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(f"\n{format_comparison(comparison_rows(runs))}\nreport: {paths.page}\n")


if __name__ == "__main__":
    main()
