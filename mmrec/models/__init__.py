"""Recommenders composed from `mmrec.nn` blocks, and the objectives that train them."""
