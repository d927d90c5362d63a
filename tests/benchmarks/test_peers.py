import json
import sys
from pathlib import Path

import pytest

from benchmarks.peers import __main__ as harness
from benchmarks.peers import systems, table
from benchmarks.peers.probe import WARM_UP, FirstBatches
from benchmarks.peers.systems import SYSTEMS, FailedError, Sizes, System, measure
from benchmarks.simulated import write_sequences

RUN = {
    "seconds_per_epoch": [10.0, 12.0],
    "targets": 100,
    "peak_rss_mib": 800.0,
    "import_rss_mib": 300.0,
    "raw_to_first_batch_s": 0.5,
    "raw_to_first_batch_mib": 90.0,
    "ranking_users_per_s": 20_000.0,
    "load_before": 0.1,
    "versions": {"torch": "2"},
}
ONCE = Sizes(epochs=1, batches=1, threads=1)
SLOW = RUN | {"seconds_per_epoch": [220.0], "scaled_from_batches": 12, "ranking_users_per_s": None}


@pytest.fixture
def data(tmp_path):
    write_sequences(tmp_path / "data.txt", num_users=20, num_items=30)
    return tmp_path / "data.txt"


@pytest.fixture
def counting(tmp_path, monkeypatch):
    """A system that counts its runs, and a folder of its own for results."""
    monkeypatch.setattr(systems, "CACHE", tmp_path / "kept")
    file = tmp_path / "runs"
    code = f"open({str(file)!r}, 'a').write('.'); print('said'); print('{json.dumps(RUN)}')"
    monkeypatch.setattr(systems, "command", lambda *_: [sys.executable, "-c", code])
    return lambda: len(file.read_text())


def run(data, *, again=False, number=1):
    return measure(SYSTEMS[0], data, number, ONCE, again=again)


def test_a_result_is_kept_until_the_data_change(data, counting):
    first = run(data)
    assert first["seconds_per_epoch"] == [10.0, 12.0]
    assert run(data) == first
    assert counting() == 1
    run(data, number=2)
    assert counting() == 2
    run(data, again=True)
    assert counting() == 3
    data.write_text(data.read_text() + "21 1 2 3\n")
    run(data)
    assert counting() == 4


def test_a_failed_run_says_why_and_is_not_kept(data, counting, monkeypatch):
    failing = [sys.executable, "-c", "raise SystemExit('no such model')"]
    monkeypatch.setattr(systems, "command", lambda *_: failing)
    for _ in range(2):
        with pytest.raises(FailedError, match="no such model"):
            run(data)
    assert not systems.CACHE.exists()


def test_the_clock_runs_over_the_batches_after_the_warm_up():
    cut = FirstBatches(range(100), num_timed=3)
    assert list(cut) == list(range(WARM_UP + 3))
    assert cut.seconds > 0
    with pytest.raises(ValueError, match="an epoch has 4 batches, 5 are wanted"):
        list(FirstBatches(range(4), num_timed=3))


def test_ratios_are_those_of_the_same_round():
    own = [RUN, RUN | {"seconds_per_epoch": [22.0]}]
    rows = table.summarize({"mmrec-sasrec": own, "rectools-sasrec": [SLOW, SLOW]})
    assert rows["rectools-sasrec"]["ratio"] == pytest.approx((220 / 11 + 220 / 22) / 2)
    assert rows["mmrec-sasrec"]["seconds_per_epoch"] == 12
    assert "recbole-sasrec" not in rows


def test_the_table_says_what_is_scaled_and_what_is_missing():
    rows = table.summarize({"mmrec-sasrec": [RUN], "rectools-sasrec": [SLOW]})
    text = table.format_table(rows, {"recbole-gru4rec": "pip install torch: no network"})
    assert "220.0 (scaled from 12 batches) | 20.0 ×" in text
    assert "| **mmrec** | **11.0** |" in text
    assert "skipped: pip install torch: no network" in text


def test_a_system_that_cannot_run_is_skipped_in_every_round(data, monkeypatch):
    asked = []

    def fail_recbole(system: System, *_, **__):
        asked.append(system.name)
        if system.peer == "recbole":
            raise FailedError("no")
        return RUN

    monkeypatch.setattr(harness, "measure", fail_recbole)
    runs, skipped = harness.run_all(data, ONCE, rounds=2, again=False)
    assert {len(found) for found in runs.values()} == {2}
    assert set(skipped.values()) == {"no"}
    assert set(runs) | set(skipped) == {system.name for system in SYSTEMS}
    assert asked.count("recbole-sasrec") == 1


def test_the_readme_shows_the_measured_table():
    readme, measured = harness.README.read_text(), harness.RESULTS / "peers.md"
    shown = readme.partition(harness.START)[2].partition(harness.END)[0]
    assert harness.END in readme
    assert not shown or shown.startswith(measured.read_text())


def test_pins_are_exact():
    for file in Path(systems.PINS).glob("*.txt"):
        lines = file.read_text().splitlines()
        assert all("==" in line for line in lines)
        assert any(line.startswith("torch==") for line in lines)
