"""Frozen extractors, CLIP keywords, and the tables of vectors they leave behind."""
