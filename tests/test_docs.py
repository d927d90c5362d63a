"""Examples in the documentation are valid params."""

from __future__ import annotations

import re
from pathlib import Path

from ruamel.yaml import YAML

from mmrec.params.features import EmbedParams

DOCS = Path(__file__).parents[1] / "docs"


def test_the_entries_shown_for_features_are_valid() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "features.md").read_text(), re.DOTALL)
    shown = YAML(typ="safe").load(block)["embed"]
    assert shown.keys() == {"text", "image"}
    assert EmbedParams.model_validate({"pair": {}, **shown}).text["shop-title_tokens"]
