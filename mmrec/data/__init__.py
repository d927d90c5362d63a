"""From source files to clean integer sequences, sentences and verified pictures."""
