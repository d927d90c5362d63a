"""Feature stages in processes of their own, which say what they do until they are killed."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mmrec import schemas
from mmrec.io import write_table
from mmrec.paths import Paths
from tests.features import worlds
from tests.forkserver import FORKS

ROOT = Path(__file__).parents[2]
LARGEST_SEGMENT = 16
NUM_CONTENTS = 150
STAGES = {
    "embed_image": "demo-clip_image",
    "embed_text": "demo-sentences",
    "keywords": "demo",
}


def write_project(folder: Path, clip: Path) -> Path:
    """A project whose catalogue is clean and whose features are not made."""
    folder.mkdir()
    yaml = YAML(typ="safe")
    params = yaml.load((ROOT / "params.yaml").read_text())
    model = {"model": str(clip), "pretrained": None}
    params["datasets"]["demo"]["keywords"] |= {
        **model,
        "dictionary": {"name": "catalogue", "num_words": 20, "min_length": 3},
    }
    params["embed"]["image"]["demo-clip_image"]["extractor"] |= model
    for entry in params["embed"]["text"].values():
        entry["extractor"] = {"name": "open_clip_text", "normalize": True, **model}
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)
    dataset = Paths(folder).dataset("demo")
    pictures = [worlds.png(seed) for seed in range(NUM_CONTENTS)]
    worlds.write_raw_images(dataset.raw_images, pictures)
    # Some pictures and sentences are two items'.
    rows = [(f"i{n:03}", 0, n % NUM_CONTENTS) for n in range(NUM_CONTENTS + 20)]
    images = worlds.images([(item, position, pictures[n]) for item, position, n in rows])
    write_table(images, dataset.images, schemas.IMAGES)
    texts = [(item, position, f"cotton shirt with stripes, no. {n}") for item, position, n in rows]
    write_table(worlds.sentences(texts), dataset.sentences, schemas.SENTENCES)
    return folder


def start_the_server() -> None:
    """Import everything; else the first process would have to wait for it."""
    first = FORKS.Process(target=apart, args=(b"",))  # type: ignore[attr-defined]
    first.start()
    first.join()


def apart(joined: bytes) -> set[bytes]:
    """Keys that lie behind one another."""
    return {joined[start : start + 16] for start in range(0, len(joined), 16)}


def outputs(project: Path, stage: str) -> dict[str, bytes]:
    """Every file that the stage writes, hidden ones too."""
    dataset = Paths(project).dataset("demo")
    folders = {
        "embed_image": dataset.features("clip_image"),
        "embed_text": dataset.features("sentences"),
        "keywords": dataset.keywords.parent,
    }
    folder = folders[stage]
    found = [folder.with_name(f"{folder.name}.json"), *folder.rglob("*")]
    return {str(p.relative_to(project)): p.read_bytes() for p in found if p.is_file()}


@dataclass
class Process:
    """A stage that runs in a project, and what is known of it."""

    project: Path
    stage: str
    log: Path
    process: BaseProcess = field(init=False)

    def start(self, cache: Path, *, largest_file: int | None = None) -> Process:
        """Run it, with its outputs removed first."""
        self.clear()
        self.log.unlink(missing_ok=True)
        arguments = (self.stage, self.project, cache, self.log, largest_file)
        self.process = FORKS.Process(target=_run, args=arguments)  # type: ignore[attr-defined]
        self.process.start()
        return self

    def clear(self) -> None:
        """Remove the outputs, as DVC does before a run."""
        for name in outputs(self.project, self.stage):
            (self.project / name).unlink()

    def wait(self) -> int:
        """Until it ends; its exit code, negative if it was killed."""
        self.process.join(60)
        assert self.process.exitcode is not None
        return self.process.exitcode

    def said(self, word: str) -> list[str]:
        """What the process said about something."""
        if not self.log.exists():
            return []
        lines = [line.split(" ", 1) for line in self.log.read_text().splitlines()]
        return [rest for first, rest in lines if first == word]

    def wait_for(self, num_steps: int) -> None:
        """Until it has said something so many times, or has ended."""
        while self.process.is_alive() and self.num_steps < num_steps:
            time.sleep(0.002)

    @property
    def num_steps(self) -> int:
        """How often it has said something."""
        return self.log.read_text().count("\n") if self.log.exists() else 0

    @property
    def num_encoded(self) -> int:
        """Contents that it spent time on."""
        return sum(int(number) for number in self.said("encoded"))

    @property
    def kept(self) -> set[bytes]:
        """Keys whose vectors it was told are safe."""
        return apart(bytes.fromhex("".join(self.said("kept"))))


def _run(stage: str, project: Path, cache: Path, log: Path, largest_file: int | None) -> None:
    """What the process does: the stage, with small segments, and a word on each step."""
    written = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.chdir(project)
    os.environ |= {"MMREC_CACHE": str(cache), "MMREC_CACHE_REMOTE": "off", "MMREC_DEVICE": "cpu"}

    def say(word: str, what: object) -> None:
        # One call each: nothing of it is lost when the process is.
        os.write(written, f"{word} {what}\n".encode())

    _narrate(say)
    sys.argv = [stage, STAGES[stage]]
    main = import_module(f"stages.{stage}").main

    def narrated(params: Any, paths: Any, key: str) -> Any:
        summary = main(params, paths, key)
        say("summary", summary["encoded"])
        return summary

    if largest_file is not None:
        # As on a full disk, a file comes to an end in the middle of being written.
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    import_module("mmrec.stage").run(narrated)


def _narrate(say: Callable[[str, object], None]) -> None:
    from mmrec.features.cache.store import FeatureStore
    from mmrec.features.encode import executor
    from mmrec.features.encode import vectors as encode

    executor.FIRST_UNIT = 8  # type: ignore[misc]
    executor.LARGEST_UNIT = LARGEST_SEGMENT  # type: ignore[misc]
    # Each unit is a segment.
    encode._SECONDS_PER_SEGMENT = 0.0  # type: ignore[misc]
    checked, append = encode._checked, FeatureStore.append

    def checked_and_said(vectors: Any, *rest: Any) -> Any:
        say("encoded", len(vectors))
        return checked(vectors, *rest)

    def append_and_say(store: FeatureStore, keys: Any, vectors: Any) -> None:
        append(store, keys, vectors)
        say("kept", keys.tobytes().hex())

    encode._checked = checked_and_said
    FeatureStore.append = append_and_say  # type: ignore[method-assign]
