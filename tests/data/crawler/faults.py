"""A decoder gone wrong, for a process to run."""

from __future__ import annotations

import os
import signal
import time

from mmrec.data.crawler.decode_worker import serve


def fault(data: bytes) -> str:
    """Dies of `crash`, hangs on `hang`, finds nothing wrong with the rest."""
    if data == b"crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if data == b"hang":
        time.sleep(600)
    os.write(1, b"decoders written in C print what they like\n")
    return ""


if __name__ == "__main__":
    serve(fault, longest_s=0.5)
