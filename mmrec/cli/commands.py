"""All commands of `mmrec`, in the order of its help. A module is imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final, NamedTuple

from mmrec.command import Command


class Entry(NamedTuple):
    """Where a command is, and what it does, in a line."""

    module: str
    """Has `HELP`, `add_arguments(parser)` and `run(arguments)`."""
    line: str


COMMANDS: Final[Mapping[str, Entry]] = {
    "init": Entry("mmrec.cli.init", "write params.yaml for your own catalogue and log"),
    "check": Entry("mmrec.params.__main__", "say what is wrong with params.yaml"),
    "schema": Entry("mmrec.cli.schema", "let an editor complete and check params.yaml"),
    "doctor": Entry("mmrec.cli.doctor", "say what is wrong with this environment and project"),
    "explain": Entry("mmrec.cli.explain", "what `dvc repro` would do for a run, and why"),
    "report": Entry("mmrec.report.__main__", "all runs in a table; a page of one user"),
    "compare": Entry("mmrec.compare.__main__", "whether runs differ by more than chance"),
    "knockouts": Entry("mmrec.knockouts.__main__", "whether its content helps a run"),
    "study": Entry("mmrec.study.__main__", "train and compare what a file of studies/ names"),
    "tune": Entry("mmrec.cli.tune", "search settings of a run on validation"),
    "recommend": Entry("mmrec.cli.recommend", "the best items for a history or a user"),
    "similar": Entry("mmrec.cli.similar", "the items that are most like one"),
    "serve": Entry("mmrec.cli.serve", "the same over HTTP, and a page to try it with"),
    "search": Entry("mmrec.cli.search", "the items that words or a picture describe"),
    "track": Entry("mmrec.cli.track", "send finished runs to MLflow"),
    "export": Entry("mmrec.cli.export", "a finished run as a folder that recommends anywhere"),
    "features cache": Entry(
        "mmrec.features.cache.__main__", "look after what has been encoded: stats, prune, push, …"
    ),
    "features export": Entry("mmrec.features.export", "item vectors as files for other libraries"),
    "features dictionary": Entry(
        "mmrec.features.keywords.dictionary", "keep the words that keywords are chosen from"
    ),
    "demo encoders": Entry("mmrec.demo.encoders.__main__", "small encoders to try things with"),
    "demo tables": Entry("mmrec.cli.demo_tables", "a small shop's files, to try `mmrec init` with"),
    "completion": Entry("mmrec.cli.completion", "let the shell complete all this with the tab key"),
}


def load(name: str) -> Command:
    """Import a command of the registry."""
    module = import_module(COMMANDS[name].module)
    return Command(module.HELP, module.add_arguments, module.run)
