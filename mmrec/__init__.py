"""mmrec: offline multimodal features and sequential recommendation, driven by DVC."""
