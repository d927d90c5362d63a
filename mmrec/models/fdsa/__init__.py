"""FDSA: the model, and how it is built."""
