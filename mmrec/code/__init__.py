"""What of the code a stage's result can depend on: `mmrec.code.closure` says what counts."""
