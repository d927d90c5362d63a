"""Table 1 of MP4SR, from its page, against what `clean` leaves of the files of its datasets."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmrec.data.sources.build import build_source
from mmrec.params.file import load_params
from tests.data.raw_world import cleaned, real_data
from tests.test_docs import MP4SR, rows

EXAMPLES = Path(__file__).parents[2] / "examples"
TABLE_1 = {
    name: tuple(int(count.replace(",", "")) for count in counts)
    for name, *counts in rows("| dataset | users | items | interactions |", MP4SR)
}


def test_the_table_has_each_dataset_that_there_is_a_file_for() -> None:
    files = {path.stem.removeprefix("mp4sr_") for path in EXAMPLES.glob("mp4sr_*.yaml")}
    assert TABLE_1.keys() == files


@pytest.mark.realdata
@pytest.mark.parametrize("name", TABLE_1)
def test_clean_leaves_as_many_as_the_paper_says(name: str, tmp_path: Path) -> None:
    files = real_data(f"mp4sr/{name}")
    dataset = load_params(EXAMPLES / f"mp4sr_{name}.yaml").datasets[name]
    raw = build_source(dataset.source, files).read()  # the pictures count for nothing here
    settings = dataset.clean
    result = cleaned(
        tmp_path,
        raw.items,
        raw.interactions,
        text_fields=settings.text_fields,
        user_core=settings.user_core,
        item_core=settings.item_core,
        duplicates=settings.duplicates,
        max_unusable_share=settings.max_unusable_share,
    )
    interactions = sum(result.users.column("num_interactions").to_pylist())
    assert (result.users.num_rows, result.items.num_rows, interactions) == TABLE_1[name]
