"""Encode once, ever: vectors by content and by how they came about, kept outside DVC's graph.

To the stages it is what a compiler cache is to a build: it changes the cost, never the result.
"""
