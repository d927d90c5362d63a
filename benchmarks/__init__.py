"""Scripts that anyone can run: what the pipeline costs and what its models reach."""

from mmrec.stage import share_cores

share_cores()  # as the stages do; torch is imported after this
