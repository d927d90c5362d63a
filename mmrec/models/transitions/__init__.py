"""One-step transitions: the model, and how it is built."""
