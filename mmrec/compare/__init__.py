"""Runs of this project against each other: `python -m mmrec.compare`."""
