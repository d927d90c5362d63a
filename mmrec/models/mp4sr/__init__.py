"""MP4SR: model, objectives, and how they are built."""
