"""What was proposed in; a whole params.yaml, from an example, with the reasons beside it, out."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from mmrec.own_data.catalogue import Texts
from mmrec.own_data.log import Guess
from mmrec.own_data.proposal import UNKNOWN, Proposal
from mmrec.own_data.quick import make_quick
from mmrec.own_data.recipe import flowing, follow_recipe
from mmrec.params.yaml_file import yaml_to_write

EXAMPLES: Final = Path(__file__).parents[2] / "examples"


class Written(NamedTuple):
    """The text of a params file, and what of it was chosen by numbers of users and items."""

    text: str
    chosen: list[str]


def params_text(proposal: Proposal, *, quick: bool = False) -> Written:
    """The text of a params file.

    Args:
        proposal: what was found.
        quick: for a first look, with a small text encoder and few epochs.
    """
    template = (EXAMPLES / "tables.yaml").read_text(encoding="utf-8")
    named = re.sub(r"(?<!My )\bshop\b", proposal.name, template.partition("\ndatasets:")[2])
    yaml = yaml_to_write()
    params = yaml.load(f"datasets:{named}")
    dataset = params["datasets"][proposal.name]
    dataset["files"] = proposal.files.as_posix()
    _fill_log(dataset["source"]["interactions"], proposal)
    _fill_catalogue(dataset["source"]["items"], proposal)
    _fill_clean(dataset["clean"], proposal)
    if not (proposal.pictures.files or proposal.pictures.folder):
        _without_pictures(params, proposal.name)
    if quick:
        make_quick(params)
    chosen = [*follow_recipe(params, proposal.name, proposal.size, quick=quick)]
    if proposal.texts.categories is not None:
        params["report"]["categories"] = _flow(proposal.texts.categories[1])
    stream = io.StringIO()
    yaml.dump(params, stream)
    return Written(f"{_head(proposal, chosen)}\n{stream.getvalue()}", chosen)


def _head(proposal: Proposal, chosen: list[str]) -> str:
    """Comments above everything: how the file came to be, and what is left to do."""
    lines = [
        f"Proposed by `mmrec init` from {proposal.catalogue.path.name} and "
        f"{proposal.log.path.name}; every guess has its reason beside it.",
        *(f"{sentence[0].upper()}{sentence[1:]}." for sentence in chosen),
        *(f"LEFT TO DO: {' '.join(doubt.split())}" for doubt in proposal.doubts),
    ]
    return "".join(f"# {line}\n" for line in lines)


def _put(section: CommentedMap, key: str, guess: Guess | None) -> None:
    section[key] = guess.value if guess else None
    section.ca.items.pop(key, None)
    if guess:
        _say(section, key, guess.why)


def _say(section: CommentedMap, key: str, why: str) -> None:
    """Put a reason beside a setting; a value that it quotes may have line breaks."""
    section.yaml_add_eol_comment(" ".join(why.split()), key)


def _fill_log(section: CommentedMap, proposal: Proposal) -> None:
    section["file"] = _within(proposal.log.path, proposal.files)
    _put(section, "user_id", proposal.user)
    _put(section, "item_id", proposal.log_id)
    _put(section, "timestamp", proposal.time[0] if proposal.time else None)
    unit = Guess(proposal.time[1], "or s, ms, us, ns since 1970") if proposal.time else None
    _put(section, "timestamp_unit", unit)
    _put(section, "rating", proposal.rating)
    used = [section[key] for key in ("user_id", "item_id", "timestamp", "rating") if section[key]]
    section["separator"] = proposal.log.written_separator(used)


def _fill_catalogue(section: CommentedMap, proposal: Proposal) -> None:
    section["file"] = _within(proposal.catalogue.path, proposal.files)
    _put(section, "item_id", proposal.catalogue_id)
    _put(section, "title", proposal.texts.title)
    section["texts"] = _flow([one.value for one in proposal.texts.others])
    if why := _why_texts(proposal.texts):
        _say(section, "texts", why)
    _put(section, "image_files", proposal.pictures.files)
    _put(section, "image_folder", proposal.pictures.folder)
    used = [section["item_id"], *([section["title"]] if section["title"] else [])]
    section["separator"] = proposal.catalogue.written_separator([*used, *section["texts"]])


def _why_texts(texts: Texts) -> str:
    left_out = (f"{one.value}: left out, {one.why}" for one in texts.left_out)
    return "; ".join([*(f"{one.value}: {one.why}" for one in texts.others), *left_out])


def _within(path: Path, files: Path) -> str:
    return Path(os.path.relpath(path, files)).as_posix()


def _fill_clean(section: CommentedMap, proposal: Proposal) -> None:
    title = ["title"] if proposal.texts.title else []
    section["text_fields"] = _flow([*title, *(one.value for one in proposal.texts.others)])
    section["user_core"] = int(proposal.user_core.value)
    if proposal.user_core.why:
        _say(section, "user_core", proposal.user_core.why)


def _flow(values: list[str]) -> CommentedSeq:
    listed = CommentedSeq(values)
    listed.fa.set_flow_style()
    return listed


def _without_pictures(params: CommentedMap, name: str) -> None:
    """No keywords, and in place of the models that read pictures one of text alone."""
    params["datasets"][name]["keywords"] = {"name": "none"}
    embed = params["embed"]["text"]
    for key in [key for key, one in embed.items() if one["input"].startswith("keywords/")]:
        del embed[key]
    for key, run in list(params["runs"].items()):
        if run["image"] == "none":
            continue
        model = params["models"][run["model"]]
        if model["name"] == "contentknn":
            run["image"] = "none"
            model["architecture"]["content"]["modality"] = "text"
        else:
            del params["runs"][key]
    params["pretrainings"].clear()
    used = {run["model"] for run in params["runs"].values()}
    for model in [model for model in params["models"] if model not in used]:
        del params["models"][model]
    beauty: Any = YAML(typ="safe").load((EXAMPLES / "beauty-titles.yaml").read_text("utf-8"))
    params["models"]["text"] = flowing(beauty["models"]["text"])
    run = {**beauty["runs"]["beauty-text"], "dataset": name}
    params["runs"][f"{name}-text"] = flowing(run)
    params["recommend"]["run"] = f"{name}-text"
    for ensemble in params["ensembles"].values():
        ensemble["second"] = flowing({"run": f"{name}-text", "text": run["text"], "image": "none"})


def lines_to_change(text: str) -> list[str]:
    """Lines of a params file that wait for a column, with their numbers."""
    return [
        f"line {number}: {line.partition('#')[0].strip()}"
        for number, line in enumerate(text.splitlines(), start=1)
        if UNKNOWN in line
    ]
