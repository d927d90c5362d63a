"""Finished runs, as an experiment tracker takes them."""
