"""SASRec: model, objectives, and how they are built."""
