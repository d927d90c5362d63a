"""MMSR: how it is built of token encoders, fusions and sequence encoders."""
