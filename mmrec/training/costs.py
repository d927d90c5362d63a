"""What a training, a search of weights or a ranking took on this machine: seconds and memory.

No output of a stage has a clock in it, so that outputs depend on inputs alone. This lies beside
them, by the checksum of the record that came out: what was restored, or came from another
machine, has none here, and that of an older result is never taken for it.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from mmrec.device import choose_device
from mmrec.io import read_json, write_json
from mmrec.nn.processes import num_processes
from mmrec.training.sealed_files import file_checksum

_STATUS, _PROCESSORS = Path("/proc/self/status"), Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Cost:
    """What something took.

    Attributes:
        seconds: from reading the data to the last file written.
        peak_mib: the most memory that the process had resident; of several, the first one. None
            where the system does not say.
        gpu_mib: the most that tensors took on an accelerator; None without one.
        machine: what computed, and with how many threads or processes.
        whole: false of a training that went on after an interruption, of which only the rest was
            timed.
    """

    seconds: float
    peak_mib: float | None
    gpu_mib: float | None
    machine: str
    whole: bool


class CostClock:
    """Runs from when it is made.

    Args:
        folder: of costs.
        whole: as of `Cost`.
    """

    def __init__(self, folder: Path, *, whole: bool = True) -> None:
        self._folder, self._whole = folder, whole
        self._started = time.perf_counter()

    def stop(self, record: Path) -> None:
        """Keep what it took, by the record that was written last."""
        cost = Cost(
            seconds=time.perf_counter() - self._started,
            peak_mib=_peak_mib(),
            gpu_mib=torch.cuda.max_memory_allocated() / 2**20 if _on_cuda() else None,
            machine=_machine(),
            whole=self._whole,
        )
        write_json(asdict(cost), _place(self._folder, record))


def read_cost(record: Path, *folders: Path) -> Cost | None:
    """What the making of a record took; None where it was not made by a machine with these folders.

    Args:
        record: as it lies there now.
        folders: of costs, in the order to look in.
    """
    for folder in folders if record.is_file() else ():
        if (place := _place(folder, record)).is_file():
            found: dict[str, Any] = read_json(place)
            return Cost(**found)
    return None


def _place(folder: Path, record: Path) -> Path:
    return folder / f"{file_checksum(record)}.json"


def _on_cuda() -> bool:
    return choose_device().type == "cuda"


def _peak_mib() -> float | None:
    # Not `getrusage`: by that a process has had the memory of the one that started it.
    return next((float(size.split()[0]) / 2**10 for size in _lines(_STATUS, "VmHWM")), None)


def _lines(file: Path, name: str) -> Iterator[str]:
    """Values of a name in one of Linux's files about itself; none elsewhere."""
    if file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.partition(":")[0].strip() == name:
                yield line.partition(":")[2].strip()


def _machine() -> str:
    if _on_cuda():
        what = torch.cuda.get_device_name(choose_device())
    else:
        what = f"{torch.get_num_threads()} of {os.cpu_count()} cores, {_processor()}"
    count = num_processes()
    return f"{what}, torch {torch.__version__}" + (f", {count} processes" if count > 1 else "")


def _processor() -> str:
    return next(_lines(_PROCESSORS, "model name"), platform.processor() or platform.machine())
