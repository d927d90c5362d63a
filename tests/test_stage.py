import os
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
SAY = f"""
import os, sys
from mmrec.stage import run

def main(params, paths):
    assert "torch" not in sys.modules  # it reads the environment when it is imported
    return {{name: os.environ.get(name) for name in {SETTINGS}}}

run(main)
"""


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, f"GOMP_SPINCOUNT {1000 * os.cpu_count()}, OMP_WAIT_POLICY None"),
        ({"GOMP_SPINCOUNT": "7"}, "GOMP_SPINCOUNT 7, OMP_WAIT_POLICY None"),
        ({"OMP_WAIT_POLICY": "active"}, "GOMP_SPINCOUNT None, OMP_WAIT_POLICY active"),
    ],
)
def test_threads_of_a_stage_soon_sleep_unless_the_user_says_otherwise(own, expected):
    others = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    done = subprocess.run(
        [sys.executable, "-c", SAY],
        cwd=Path(__file__).parents[1],
        env=others | own,
        capture_output=True,
        text=True,
        check=True,
    )
    assert expected in done.stderr
