"""report: all runs, and pictures and users of one dataset -> one static page, and model cards."""

from __future__ import annotations

from mmrec.io import read_json, write_text
from mmrec.params.pipeline import Params
from mmrec.params.ranked import ranked_entries
from mmrec.paths import Paths, card_of
from mmrec.stage import Summary, run


def main(params: Params, paths: Paths) -> Summary:
    """Write the page over all runs of `params.yaml`, and a card for each that is a model."""
    from mmrec.report import collect
    from mmrec.report.card_facts import card_facts, loading_in_project
    from mmrec.report.collect_shown import collect_shown
    from mmrec.report.former_runs import remove_former_runs
    from mmrec.report.model_card import model_card
    from mmrec.report.page import render_page
    from mmrec.report.shapes import CleanSummary
    from mmrec.report.steps import dataset_report

    remove_former_runs(ranked_entries(params), paths)
    dataset = paths.dataset(params.report.dataset)
    pretrainings = collect.collect_pretrainings(params, paths)
    runs = collect.collect_runs(params, paths, pretrainings)
    shown = collect_shown(params, paths)
    summary = dataset_report(params.report.dataset, read_json(dataset.clean_summary, CleanSummary))
    page = render_page(
        title=params.report.title,
        datasets=[summary],
        runs=runs,
        protocol=collect.collect_protocol(params),
        showcase=shown.showcase,
        pretrainings=[*pretrainings.values()],
        items=shown.items,
        lists=shown.lists,
        maps=shown.maps,
    )
    write_text(page, paths.page)
    models = [one for one in runs if one.name in params.runs]
    for one in models:
        loading = loading_in_project(one.name, params.models[one.model].name)
        card = model_card(card_facts(one, params, paths, loading=loading))
        write_text(card, card_of(paths, one.name))
    return {
        "runs": len(runs),
        "cards": len(models),
        "items": len(shown.items.items),
        "users": len(shown.lists.of_users),
    }


if __name__ == "__main__":
    run(main)
