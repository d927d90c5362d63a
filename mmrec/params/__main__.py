"""`python -m mmrec.params`: check `params.yaml` in this folder before anything runs."""

import sys
from pathlib import Path

from mmrec.params.file import ParamsError, load_params
from mmrec.params.protocol import contradictions

try:
    for sentence in contradictions(load_params(Path("params.yaml"))):
        sys.stderr.write(f"warning: params.yaml: {sentence}\n")
except ParamsError as error:
    sys.exit(f"error: {error}")
