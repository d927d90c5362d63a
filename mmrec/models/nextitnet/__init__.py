"""NextItNet: model, objectives, and how they are built."""
