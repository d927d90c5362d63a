"""Training: batches, the loop, and checkpoints it can continue from."""
