"""Small encoders in the folders of transformers, to try token states without a network."""
