"""Neighbours by content: the models, and how they are built."""
