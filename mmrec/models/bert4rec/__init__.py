"""BERT4Rec: model, objectives, and how they are built."""
