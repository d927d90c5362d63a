"""Items by popularity: the model, and how it is built."""
