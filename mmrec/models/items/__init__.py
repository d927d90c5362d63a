"""Item encoders: what a model knows of items in, one vector per item out."""
