"""Evaluation: full ranking of held-out items, and metrics from ranks alone."""
