"""Frozen models: what each reads, how it is loaded, and what one content becomes."""
