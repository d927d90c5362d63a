"""Runs a module as `python -m` does, where no file may have a byte, as after `ulimit -f 0`."""

import resource
import sys
from runpy import run_module

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    del sys.argv[0]
    run_module(sys.argv[0], run_name="__main__", alter_sys=True)
