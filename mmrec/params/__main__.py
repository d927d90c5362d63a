"""`python -m mmrec.params`: check `params.yaml` in this folder before anything runs."""

import sys
from pathlib import Path

from mmrec.params.file import ParamsError, load_params

try:
    load_params(Path("params.yaml"))
except ParamsError as error:
    sys.exit(f"error: {error}")
