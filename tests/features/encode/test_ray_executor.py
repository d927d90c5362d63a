"""Two nodes in place of one process: the same bytes, and what is lost is encoded elsewhere."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrec.data.images import ImageError, RawImages
from mmrec.features.cache.place import FeatureCache
from mmrec.features.encode.embed import embed_images, embed_sentences
from mmrec.features.encode.executor import LOCAL
from mmrec.features.encode.job import Executor, Job
from mmrec.features.extractors.build import build_text_extractor
from mmrec.features.keywords.assign import assign_keywords
from mmrec.features.keywords.build import _clip_images
from mmrec.features.keywords.clip import Clip
from mmrec.features.keywords.dictionary import Dictionary
from mmrec.io import DataError, part_files
from mmrec.params.features import OpenClipTextParams
from tests.features import worlds
from tests.features.remote_worlds import Lengths, Orders, refuse_bytes

ray = pytest.importorskip("ray", reason="ray is not installed (extra: ray)")
from ray.cluster_utils import Cluster  # noqa: E402

from mmrec.features.encode.ray_cluster import RaySettings  # noqa: E402
from mmrec.features.encode.ray_executor import RayExecutor  # noqa: E402

NODE = {"num_cpus": 2, "object_store_memory": 100 * 2**20}
ROOT = Path(__file__).parents[3]
TEXTS = [f"text {number}" for number in range(600)]
ROWS = [(f"i{number:03}", 0, text) for number, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Two processes of one computation each leave the other cores to the suite.
        patch.setenv("OMP_NUM_THREADS", "1")
        # Nodes start in the folder of the project, as the documentation says.
        patch.chdir(ROOT)
        # Noticed within seconds that a node is gone, not within half a minute.
        noticing = {"health_check_period_ms": 1_000, "health_check_failure_threshold": 3}
        head = {**NODE, "include_dashboard": False, "_system_config": noticing}
        started = Cluster(initialize_head=True, head_node_args=head)
        started.add_node(**NODE)
        ray.init(address=started.address, log_to_driver=False)
    yield started
    ray.shutdown()
    started.shutdown()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def on_ray(build: Any, actors: int = 2) -> RayExecutor:
    return RayExecutor(build, RaySettings(address=None, actors=actors, gpus_per_actor=None))


def orders(folder: Path, **changes: Any) -> Orders:
    folder.mkdir(parents=True, exist_ok=True)
    return Orders(folder, **changes)


def embed_texts(
    given: Orders, folder: Path, cache: FeatureCache | None, executor: Executor
) -> dict[str, int]:
    return embed_sentences(
        worlds.sentences(ROWS),
        Lengths(given),
        folder,
        precision="float32",
        cache=cache,
        executor=executor,
    )


def files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in part_files(folder)]


def test_texts_pictures_and_keywords_have_the_same_bytes_as_in_one_process(
    cluster, clip: Clip, clip_folder: Path, tmp_path: Path
) -> None:
    sentences = worlds.sentences([(f"i{n}", 0, "word " * (n % 20) + str(n)) for n in range(300)])
    pictures = [worlds.png(seed) for seed in range(150)]
    images = worlds.images([(f"i{n}", 0, picture) for n, picture in enumerate(pictures)])
    raw = RawImages(worlds.write_raw_images(tmp_path / "raw", pictures))
    words = Dictionary(("red", "blue", "green", "shirt"), "test")
    params = OpenClipTextParams(
        name="open_clip_text", model=str(clip_folder), pretrained=None, normalize=True
    )
    text = build_text_extractor(params)
    of_texts = on_ray(partial(build_text_extractor, params), actors=1)
    of_images = on_ray(partial(_clip_images, str(clip_folder), None), actors=1)
    tables = []
    for name, texts, others in (("here", LOCAL, LOCAL), ("there", of_texts, of_images)):
        folder = tmp_path / name
        cache = FeatureCache(folder / "cache", None)
        embed_sentences(sentences, text, folder / "t", precision="float32", executor=texts)
        keywords = assign_keywords(
            images, raw, clip, words, num_keywords=2, prompt="{}", cache=cache, executor=others
        )
        assert keywords.vectors is not None
        assert keywords.vectors.num_encoded == len(pictures)
        embed_images(images, raw, clip.image, folder / "i", precision="float32", cache=cache)
        tables.append(keywords.table)
    for kind in ("t", "i"):
        assert files(tmp_path / "here" / kind) == files(tmp_path / "there" / kind)
    assert tables[0].equals(tables[1])


def test_work_is_shared_and_token_states_come_back_as_well(cluster, tmp_path: Path) -> None:
    given = orders(tmp_path / "log", together=2)
    extractor = given.build_tokens()
    job = Job(
        places=np.arange(len(TEXTS))[::-1],
        draw=lambda places: (TEXTS[place] for place in places),
        prepare=None,
        extractor=extractor,
        item_of=str,
        largest_unit=50,
    )
    results = dict[int, Any]()
    for places, states in on_ray(given.build_tokens).encode(job):
        assert len(places) <= 50
        results |= dict(zip(places.tolist(), states.split(), strict=True))
    assert given.processes() == 2
    assert sorted(given.encoded()) == sorted(TEXTS)
    for place, text in enumerate(TEXTS):
        assert np.array_equal(results[place][:, 0], [ord(letter) for letter in text])


def test_an_actor_that_dies_costs_its_unfinished_unit(cluster, tmp_path: Path) -> None:
    given = orders(tmp_path / "log", dies_at="text 500", seconds=0.001)
    cache = FeatureCache(tmp_path / "cache", None)
    counts = embed_texts(given, tmp_path / "there", cache, on_ray(given.build))
    assert counts["encoded"] == len(TEXTS)
    assert (given.log / "died").exists()
    assert sorted(given.encoded()) == sorted(TEXTS), "what was finished was encoded again"
    embed_texts(orders(tmp_path / "log-here"), tmp_path / "here", None, LOCAL)
    assert files(tmp_path / "here") == files(tmp_path / "there")
    warm = orders(tmp_path / "log-warm")
    assert embed_texts(warm, tmp_path / "warm", cache, on_ray(warm.build))["encoded"] == 0
    assert warm.encoded() == []


def test_contents_over_which_every_actor_dies_are_named_and_the_rest_is_kept(
    cluster, tmp_path: Path
) -> None:
    given = orders(tmp_path / "log", dies_at="text 599", dies_once=False)
    cache = FeatureCache(tmp_path / "cache", None)
    with pytest.raises(DataError, match=r"3 actors died over the same \d+ contents.*i599"):
        embed_texts(given, tmp_path / "out", cache, on_ray(given.build))
    assert part_files(tmp_path / "out") == []
    rest = orders(tmp_path / "log-rest")
    counts = embed_texts(rest, tmp_path / "out", cache, on_ray(rest.build))
    # What others were at when it was given up is not waited for.
    assert len(TEXTS) - len(given.encoded()) <= counts["encoded"] < len(TEXTS)
    assert {*given.encoded(), *rest.encoded()} == set(TEXTS)
    assert len(rest.encoded()) == counts["encoded"]


def test_what_an_extractor_refuses_is_not_tried_again_and_comes_out_as_itself(
    cluster, tmp_path: Path
) -> None:
    given = orders(tmp_path / "log", refuses="text 7")
    with pytest.raises(DataError, match="'text 7' is refused") as caught:
        embed_texts(given, tmp_path / "out", None, on_ray(given.build))
    assert type(caught.value) is DataError
    job = Job(np.arange(3), lambda _: [b"a", b"b", b"c"], refuse_bytes, Lengths(given), str)
    with pytest.raises(ImageError, match="bad_a"):
        list(on_ray(given.build).encode(job))
    assert max(Counter(given.encoded()).values(), default=1) == 1


def test_a_node_with_another_model_or_library_is_refused(
    cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = orders(tmp_path / "log")
    other = on_ray(orders(tmp_path / "log", version=2).build)
    with pytest.raises(DataError, match=r"node .*fingerprint.*version: found 2, expected 1"):
        embed_texts(given, tmp_path / "out", None, other)
    monkeypatch.setattr(Lengths, "libraries", {"torch": "2"})
    with pytest.raises(DataError, match=r"node .*libraries.*torch: found 1, expected 2"):
        embed_texts(given, tmp_path / "out", None, on_ray(given.build))


def test_nodes_that_are_too_small_are_named(cluster, tmp_path: Path) -> None:
    import torch

    given = orders(tmp_path / "log")
    torch.set_num_threads(3)
    with pytest.raises(ValueError, match=r"no node has room for an actor of 3 CPUs"):
        embed_texts(given, tmp_path / "out", None, on_ray(given.build))


def test_stopping_early_ends_the_actors(cluster, tmp_path: Path) -> None:
    given = orders(tmp_path / "log", seconds=0.001)
    results = on_ray(given.build).encode(
        Job(np.arange(600), lambda _: TEXTS, None, Lengths(given), str)
    )
    next(results)
    results.close()
    pids = [int(path.stem) for path in given.log.glob("*.log")]
    assert pids
    deadline = os.times().elapsed + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert os.times().elapsed < deadline


def test_a_node_that_is_gone_costs_what_was_under_way_on_it(cluster, tmp_path: Path) -> None:
    """The last test: the node is not replaced."""
    given = orders(tmp_path / "log", seconds=0.002)
    job = Job(np.arange(600), lambda places: (TEXTS[p] for p in places), None, Lengths(given), str)
    found: list[int] = []
    results = on_ray(given.build, actors=4).encode(job)
    places, _ = next(results)
    found += places.tolist()
    (node,) = cluster.worker_nodes
    cluster.remove_node(node, allow_graceful=False)
    for places, vectors in results:
        assert vectors[:, 1].tolist() == [place % 10 for place in places]
        found += places.tolist()
    assert sorted(found) == list(range(600))
