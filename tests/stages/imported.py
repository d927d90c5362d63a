"""Imports sets of modules, each anew, and prints which of the project are there after each."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import import_module


def ours(packages: Sequence[str]) -> list[str]:
    """Of the modules that are there, those of the project."""
    return sorted(name for name in sys.modules if name.partition(".")[0] in packages)


def main() -> None:
    """From standard input to standard output, both JSON."""
    packages, wanted = json.load(sys.stdin)
    found = []
    for modules in wanted:
        for name in ours(packages):
            del sys.modules[name]
        for name in modules:
            import_module(name)
        found.append(ours(packages))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
