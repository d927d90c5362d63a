"""MMSRec: the model, its pre-training, and how they are built."""
