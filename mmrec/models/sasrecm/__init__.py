"""SASRecM: how it is built."""
