"""`python -m mmrec …`: as the console script `mmrec`."""

from mmrec.cli.main import main

main()
