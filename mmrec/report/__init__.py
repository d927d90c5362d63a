"""One static page over all runs: metrics, curves, pictures, lists."""
