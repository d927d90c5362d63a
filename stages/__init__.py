"""Thin scripts that `dvc.yaml` runs: read, call the library, write, report counts."""
