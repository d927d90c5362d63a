from pathlib import Path

from dvc.repo import Repo

from benchmarks.nothing_to_do import same_graph, seconds, write_pipeline


def stage(deps: str, outs: str) -> dict[str, list[dict[str, str]]]:
    return {
        kind: [{"path": path, "md5": "?"} for path in paths.split()]
        for kind, paths in (("deps", deps), ("outs", outs))
    }


LOCK = {
    "stages": {
        "crawl@a": stage("code /elsewhere/files code/clean.py", "data/raw"),
        # A file of an output.
        "clean@a": stage("code/clean.py data/raw/images", "data/clean data/runs/none"),
        "train@a": stage("data/clean/items.parquet data/clean/users.parquet", "data/runs/a"),
        # A folder of outputs.
        "report": stage("../shared/style data/runs", "report.md"),
    }
}
EDGES = {
    ("clean-a", "crawl-a"),
    ("train-a", "clean-a"),
    ("report", "clean-a"),
    ("report", "train-a"),
}


def test_the_graph_has_every_edge_of_the_lock_file_and_nothing_to_do(tmp_path: Path) -> None:
    folder = write_pipeline(same_graph(LOCK), tmp_path / "work")
    graph = Repo(str(folder)).index.graph
    assert {(above.name, below.name) for above, below in graph.edges} == EDGES
    assert seconds(folder) > 0
    assert {path.name for path in tmp_path.iterdir()} == {"work"}
