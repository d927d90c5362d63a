"""MoRec heads on frozen features: the heads, and how they are built."""
