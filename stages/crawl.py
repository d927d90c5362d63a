"""crawl: a source's files -> raw tables, packed pictures and a row per picture link."""

from __future__ import annotations

from pathlib import Path

from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Read the source of dataset `key`."""
    from mmrec.data.crawler.build import build_crawler
    from mmrec.data.fetch import write_raw
    from mmrec.data.sources.build import build_source

    settings = entry(params.datasets, key, "datasets")
    files = Path(settings.files)
    within = None if settings.allow_links_outside else files
    raw = build_source(settings.source, files).read()
    out = paths.dataset(key).raw
    if settings.crawl is None:
        return write_raw(raw, out, links_within=within)
    with build_crawler(settings.crawl, paths.downloads(key)) as crawler:
        return write_raw(raw, out, crawler, links_within=within)


if __name__ == "__main__":
    run(main)
