"""PMMRec: items by the tokens of their texts and pictures, trained to be taken to other shops."""
