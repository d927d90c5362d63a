"""Gathers the token states of a folder, in a process whose own memory may grow by a budget."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from mmrec.features import token_table
from mmrec.features.token_table import load_token_table


def main() -> None:
    """With the arguments of the command line; prints what was found."""
    folder, budget, num_items = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    if sys.argv[4] == "held":
        token_table.mapped = np.empty
    torch.set_num_threads(1)
    ids = [f"{n:06d}" for n in range(num_items)]
    items = pa.table({"item_id": ids, "item_index": range(1, num_items + 1)})
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + budget, used + budget))
    table = load_token_table(folder, items)
    for begin in range(1, num_items, 100):
        packed = table.gather(torch.arange(begin, begin + 20))
        assert packed.lengths.tolist() == [50] * 20
        assert (packed.values[::50, 0] == torch.arange(begin - 1, begin + 19)).all()
    sys.stdout.write(str(len(table.values)))


if __name__ == "__main__":
    main()
