"""Exact nearest items: from the vectors of a run to top-K lists."""
