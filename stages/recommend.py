"""recommend: retrieval vectors of one run -> FAISS index and top-K lists for every user."""

from __future__ import annotations

from mmrec import schemas
from mmrec.io import read_vectors, write_json, write_table
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, run


def main(params: Params, paths: Paths) -> Summary:
    """Recommend from the run that `recommend.run` names."""
    from mmrec.retrieval.index import build_index, write_index
    from mmrec.retrieval.recommend import check_index, recommend, summarize

    settings = params.recommend
    results = paths.run(settings.run)
    items = read_vectors(results.item_vectors, schemas.item_vectors)
    users = read_vectors(results.user_vectors, schemas.user_vectors)
    index = build_index(items)
    checked = check_index(index, items, users, sample=1000)
    lists = recommend(
        index, items, users, titles=items, top_k=settings.top_k, keep_seen=settings.keep_seen
    )
    summary = summarize(lists, items=items, users=users, top_k=settings.top_k)
    write_index(index, paths.recommendations / "items.faiss")
    write_table(lists, paths.recommended_lists, schemas.RECOMMENDATIONS)
    write_json({"run": settings.run, **summary}, paths.recommendations / "summary.json")
    return {"users whose lists equal exhaustive scoring": checked, **summary}


if __name__ == "__main__":
    run(main)
