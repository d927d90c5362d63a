"""Which executor the environment asks for, and how much of a cluster an actor takes."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from mmrec.features.encode import executor
from mmrec.features.encode.executor import LOCAL, choose_executor
from mmrec.features.encode.job import Job
from tests.features.remote_worlds import Orders

NEEDS_RAY = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed (extra: ray)")


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("", "local"):
        monkeypatch.setenv("MMREC_EXECUTOR", name)
        assert choose_executor(lambda: pytest.fail("built")) is LOCAL
    monkeypatch.setenv("MMREC_EXECUTOR", "dask")
    with pytest.raises(ValueError, match="MMREC_EXECUTOR: found 'dask', allowed: local, ray"):
        choose_executor(lambda: pytest.fail("built"))
    monkeypatch.setenv("MMREC_EXECUTOR", "ray")
    monkeypatch.setattr(executor, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"pip install 'mmrec\[ray\]'"):
        choose_executor(lambda: pytest.fail("built"))


@NEEDS_RAY
def test_nothing_to_encode_needs_no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("MMREC_EXECUTOR", "ray")
    monkeypatch.setenv("MMREC_RAY_ADDRESS", "nowhere:1")
    extractor = Orders(tmp_path).build()
    job = Job(np.arange(0), lambda _: [], None, extractor, str)
    assert list(choose_executor(lambda: extractor).encode(job)) == []


@NEEDS_RAY
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MMREC_RAY_ACTORS", "0"),
        ("MMREC_RAY_ACTORS", "two"),
        ("MMREC_RAY_GPUS_PER_ACTOR", "1.5"),
        ("MMREC_RAY_GPUS_PER_ACTOR", "-1"),
        ("MMREC_RAY_GPUS_PER_ACTOR", "half"),
        ("MMREC_RAY_GPUS_PER_ACTOR", "nan"),
        ("MMREC_RAY_GPUS_PER_ACTOR", "inf"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(variable: str, value: str) -> None:
    from mmrec.features.encode.ray_cluster import ray_settings

    with pytest.raises(ValueError, match=f"{variable}: found '{value}', expected"):
        ray_settings({variable: value})


@NEEDS_RAY
@pytest.mark.parametrize(
    ("environment", "nodes", "threads", "expected"),
    [
        ({}, [{"CPU": 8}, {"CPU": 3}], 2, (2, 0, 5)),
        ({"MMREC_RAY_ACTORS": "3"}, [{"CPU": 8}, {"CPU": 3}], 2, (2, 0, 3)),
        ({}, [{"CPU": 8, "GPU": 2}, {"CPU": 8}], 4, (1, 1, 2)),
        ({"MMREC_RAY_GPUS_PER_ACTOR": "0"}, [{"CPU": 8, "GPU": 2}], 4, (4, 0, 2)),
        ({"MMREC_RAY_GPUS_PER_ACTOR": "0.4"}, [{"CPU": 8, "GPU": 2}], 4, (1, 0.4, 4)),
        ({"MMREC_RAY_GPUS_PER_ACTOR": "2"}, [{"CPU": 8, "GPU": 5}], 4, (1, 2, 2)),
        ({"MMREC_RAY_GPUS_PER_ACTOR": "0.5"}, [{"CPU": 2, "GPU": 4}], 4, (1, 0.5, 2)),
    ],
)
def test_as_many_actors_as_there_is_room_for(
    environment: dict[str, str],
    nodes: list[dict[str, Any]],
    threads: int,
    expected: tuple[int, float, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mmrec.features.encode import ray_cluster

    gone = {"Alive": False, "Resources": {}}
    described = [gone, *({"Alive": True, "Resources": node} for node in nodes)]
    monkeypatch.setattr(ray_cluster.ray, "nodes", lambda: described)
    room = ray_cluster.find_room(ray_cluster.ray_settings(environment), num_threads=threads)
    assert (room.num_cpus, room.num_gpus, room.num_actors) == expected
    assert room.device == ("cuda" if expected[1] else "cpu")


def test_units_are_no_larger_than_asked_for_and_in_order(tmp_path) -> None:
    places = np.arange(100)[::-1]
    job = Job(
        places,
        lambda wanted: (f"text {place}" for place in wanted),
        None,
        Orders(tmp_path).build(),
        str,
        largest_unit=30,
    )
    units = list(LOCAL.encode(job))
    assert [len(unit) for unit, _ in units] == [30, 30, 30, 10]
    assert np.array_equal(np.concatenate([unit for unit, _ in units]), places)
    assert [int(vector[1]) for _, vectors in units for vector in vectors] == (places % 10).tolist()
