"""Item-kNN: the model, and how it is built."""
