"""The words of a dictionary that CLIP finds nearest to each picture."""
