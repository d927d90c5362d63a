"""What an entry of `embed:` may not ask for at once."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mmrec.params.features import EmbedImageParams, EmbedTextParams
from tests.features.token_worlds import image_params, text_params


@pytest.mark.parametrize(
    ("entry", "setting", "found", "wanted"),
    [
        (EmbedTextParams, "per", "sentence", "item"),
        (EmbedImageParams, "max_per_item", None, 1),
        (EmbedImageParams, "max_per_item", 3, 1),
    ],
)
def test_blocks_to_be_trained_read_one_content_per_item(entry, setting, found, wanted) -> None:
    of_text = entry is EmbedTextParams
    params = text_params if of_text else image_params
    settings = {"dataset": "d", "feature": "f", "precision": "float16"}
    settings |= {"input": "clean/sentences.parquet"} if of_text else {}

    def validated(below_last: int, value: object) -> object:
        extractor = params("folder", below_last=below_last).model_dump()
        return entry.model_validate({**settings, "extractor": extractor, setting: value})

    assert validated(2, wanted)
    assert validated(0, found)
    said = f"{setting} is {found or 'null'} with extractor.below_last 2.*set {setting} to {wanted}"
    with pytest.raises(ValidationError, match=said):
        validated(2, found)
