"""Scripts that anyone can run: what the pipeline costs and what its models reach."""
