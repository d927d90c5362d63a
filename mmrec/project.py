"""`python -m mmrec.project`: whether DVC can work in this folder, before it is called.

With the argument `team` also whether there is a remote to share with.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dvc.config import Config, ConfigError


class ProjectError(ValueError):
    """DVC cannot work here; the message says what is missing and how to get it."""


def check_project(folder: Path, *, with_remote: bool) -> None:
    """Refuse a folder in which DVC would fail.

    Raises:
        ProjectError: it has no pipeline, is in no git repository, or has no remote.
    """
    folder = folder.resolve()
    if not (folder / "dvc.yaml").is_file() or not (folder / ".dvc").is_dir():
        raise ProjectError(f"{folder}: no dvc.yaml with .dvc beside it; run from the project")
    try:
        config = Config(str(folder / ".dvc"))
    except ConfigError as error:
        raise ProjectError(f"{folder / '.dvc'}: {error}; mend the file") from None
    in_git = any((parent / ".git").exists() for parent in (folder, *folder.parents))
    if not in_git and not config["core"]["no_scm"]:
        raise ProjectError(
            f"{folder} is in no git repository, as when an archive was unpacked; `git init` makes "
            "one, `dvc config --local core.no_scm true` lets DVC work without"
        )
    if with_remote and not config["core"].get("remote"):
        raise ProjectError(
            "no DVC remote is set, so there is nothing to share with or to fetch from; "
            "`dvc remote add --default team <folder or address>`, see docs/sharing_features.md"
        )


if __name__ == "__main__":
    try:
        check_project(Path(), with_remote="team" in sys.argv[1:])
    except ProjectError as error:
        sys.exit(f"error: {error}")
