"""Made-up runs on a made-up dataset: metrics, histories and ranks that agree with a level."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from mmrec import schemas
from mmrec.report.runs import PretrainingReport, RunReport


def runs() -> list[RunReport]:
    """Popularity (untrained), SASRec, and MP4SR with pre-training, on one dataset."""
    return [
        a_run("shop-popularity", "popularity", 0.05, epochs=0, pretrained=False),
        a_run("shop-sasrec", "sasrec", 0.14, epochs=30, pretrained=False),
        a_run("shop-mp4sr", "mp4sr", 0.21, epochs=24, pretrained=True),
    ]


def pretrainings() -> list[PretrainingReport]:
    """Those of `runs`."""
    return [run.pretraining for run in runs() if run.pretraining]


def metrics(level: float) -> dict[str, object]:
    """A metrics.json whose values grow with `level`; nobody has a new target."""

    def part(scale: float, num_users: int) -> dict[str, float]:
        names = {}
        for cutoff in (5, 10, 20, 50):
            recall = min(1.0, level * scale * (cutoff / 10) ** 0.6)
            names |= {
                f"recall@{cutoff}": recall,
                f"ndcg@{cutoff}": recall * 0.55,
                f"mrr@{cutoff}": recall * 0.4,
            }
        return {**names, "mrr": level * scale * 0.5, "num_users": num_users}

    return {
        "all": part(1, 943),
        "warm": part(1.1, 800),
        "cold": part(0.3, 143),
        "new": {"num_users": 0},
        "history_length": {"1-5": part(0.7, 200), "6-10": part(1, 500), "11+": part(1.2, 243)},
        "protocol": {
            "tie_order": "file",
            "tied_share": 0.01,
            "split": {"name": "leave_one_out"},
        },
    }


def positions(level: float) -> dict[str, object]:
    """What metrics.json has of cold positions: of a few training interactions, all of them."""
    some = {"recall@10": level, "ndcg@10": level / 2, "num_samples": 20, "num_users": 10}
    nothing = {"num_samples": 0, "num_users": 0}
    return {"cold_positions": some, "cold_positions_few": some, "cold_positions_new": nothing}


def cold_ranks(level: float) -> pa.Table:
    """RANKS of two cold positions of each of ten users."""
    places = np.arange(20)
    columns = {
        "user_index": places // 2,
        "target": places + 1,
        "rank": (1 + (places * 7 % 20) / (10 * level)).astype(int),
        "target_is_cold": places >= 0,
        "target_training_count": places % 4 + 1,
        "history_length": places % 2 + 3,
    }
    return pa.table(columns).cast(schemas.RANKS)


def a_run(name: str, model: str, level: float, *, epochs: int, pretrained: bool) -> RunReport:
    """A run whose metrics, validation and ranks are the better the higher its level."""
    return RunReport(
        name=name,
        dataset="shop",
        model=model,
        metrics=metrics(level),
        text="sentences" if pretrained else "none",
        image="pictures" if pretrained else "none",
        pretraining=a_pretraining(name, model, level) if pretrained else None,
        seed=2020,
        finetuning=_history(level, epochs, ("next_item",)),
        finetune_metric="recall@20",
        ranks=ranks_of(level),
        params={"model": model, "note": "</pre><script>alert(1)</script>", "seed": 2020},
    )


def a_pretraining(name: str, model: str, level: float) -> PretrainingReport:
    """A pre-training whose validation is the better the higher its level."""
    return PretrainingReport(
        name=name,
        dataset="shop",
        model=model,
        text="sentences",
        image="pictures",
        seed=2020,
        history=_history(level, 40, ("nip", "cmcl")),
        metric="recall@20",
        params={"note": "</pre><script>alert(2)</script>"},
    )


def ranks_of(level: float, *, num_users: int = 50) -> pa.Table:
    """RANKS of users 0 … with targets 1 …, every fourth one cold and every eighth one new."""
    users = np.arange(num_users)
    columns = {
        "user_index": users,
        "target": users % 36 + 1,
        "rank": (1 + (users * 7 % 50) / (10 * level)).astype(int),
        "target_is_cold": users % 4 == 0,
        "target_training_count": users % 8,
        "history_length": users + 2,
    }
    return pa.table(columns).cast(schemas.RANKS)


def _history(level: float, epochs: int, losses: tuple[str, ...]) -> dict[str, list[float]]:
    if not epochs:
        return {}
    steps = np.arange(1, epochs + 1)
    falling = 6 - 3 * (1 - np.exp(-steps / 8)) - level
    rising = 1.6 * level * (1 - np.exp(-steps / 6)) + 0.01 * np.sin(steps)
    columns = {"epoch": steps, "learning_rate": steps * 0 + 1e-3}
    columns |= {"loss": falling, "recall@20": rising, "ndcg@20": rising / 2}
    columns |= {name: falling / (2 + place) for place, name in enumerate(losses)}
    return {name: values.astype(float).tolist() for name, values in columns.items()}
