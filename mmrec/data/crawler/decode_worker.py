"""A process that decodes: pictures on its input, a line of output for each.

`python -m mmrec.data.crawler.decode_worker`. A picture is its length in four bytes and then
its bytes; the line is empty, or the reason why it is no picture. It ends with its input, and
so with whoever started it, however that ends.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from mmrec.data.images import picture_fault

LENGTH_BYTES = 4
READY = b"ready\n"
_LONGEST_S = 60.0


def serve(check: Callable[[bytes], str], longest_s: float = _LONGEST_S) -> None:
    """Answer until the input ends; a check that takes longer than `longest_s` ends the process."""
    source, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    answers.write(READY)
    answers.flush()
    # What decoders written in C print would be taken for answers.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    while len(length := source.read(LENGTH_BYTES)) == LENGTH_BYTES:
        data = source.read(int.from_bytes(length, "big"))
        # Unhandled, the alarm ends the process even inside a decoder written in C.
        signal.setitimer(signal.ITIMER_REAL, longest_s)
        fault = check(data)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(fault.encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    serve(picture_fault)
