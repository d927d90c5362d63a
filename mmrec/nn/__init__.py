"""Building blocks in plain torch: tensors and plain arguments in, tensors out."""
