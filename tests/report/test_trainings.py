"""Pre-trainings on the page: with their own dataset, and the runs that start from them."""

from __future__ import annotations

from dataclasses import replace

from mmrec.report.page import render_page
from mmrec.report.trainings import trainings
from tests.report.made_runs import a_pretraining, a_run, pretrainings, runs
from tests.report.outline import parse
from tests.report.worlds import PROTOCOL, Showcase


def test_a_pretraining_is_listed_with_all_runs_that_start_from_it() -> None:
    (one,) = pretrainings()
    idle = a_pretraining("idle", "mp4sr", 0.1)
    elsewhere = replace(runs()[2], name="moved", dataset="other", pretraining=one)
    shop, other = trainings([one, idle], [*runs(), elsewhere])
    assert [(row.name, row.epochs, row.runs) for row in shop.pretrained] == [
        ("shop-mp4sr", "40 epochs, best 39", "shop-mp4sr, moved"),
        ("idle", "40 epochs, best 39", "–"),
    ]
    assert other.pretrained == []
    assert [plot.title for plot in shop.plots] == [
        "shop: loss in pre-training",
        "shop: validation Recall@20 in pre-training",
        "shop: loss in fine-tuning",
        "shop: validation Recall@20 in fine-tuning",
    ]
    assert shop.plots[0].names == ("shop-mp4sr", "idle")
    assert [plot.title for plot in other.plots] == [
        "other: loss in fine-tuning",
        "other: validation Recall@20 in fine-tuning",
    ]
    assert {name: len(plots) for name, plots in shop.losses.items()} == {"shop-mp4sr": 2, "idle": 2}


def test_a_name_has_one_style_that_no_other_name_has() -> None:
    added = [*pretrainings(), a_pretraining("idle", "mp4sr", 0.1)]
    (before,), (after,) = trainings([], runs()), trainings(added, runs())
    assert after.looks.items() > before.looks.items()
    assert len({*after.looks.values()}) == len(after.looks) == len(runs()) + 1


def test_a_dataset_that_is_only_pretrained_on_has_its_curves_on_the_page() -> None:
    large = replace(a_pretraining("large", "mp4sr", 0.3), dataset="captions", has_users=False)
    moved = replace(a_run("moved", "mp4sr", 0.2, epochs=3, pretrained=False), pretraining=large)
    page = render_page(
        title="x",
        datasets=[],
        runs=[moved],
        protocol=PROTOCOL,
        showcase=Showcase("shop", "moved"),
        pretrainings=[large],
    )
    (section,) = parse(page).find("section", ident="training")
    assert [head.words for head in section.find("h3")] == ["shop", "captions"]
    row = [cell.words for cell in section.find("tr")[1].walk() if cell.tag in ("th", "td")]
    assert row == ["large", "mp4sr", "sentences", "pictures", "2020", "40 epochs, best 39", "moved"]
    assert "captions: loss in pre-training" in [node.text for node in section.find("figcaption")]
    assert section.text.count("This dataset has no users") == 1
    assert section.text.index("captions") < section.text.index("This dataset has no users")
    assert "Parameters of the pre-trainings" in page
    assert "<script>alert" not in page
