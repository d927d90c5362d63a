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
def measured(tmp_path, monkeypatch):
    """Names of the systems that were run, and a folder of its own for results."""
    monkeypatch.setattr(harness, "CACHE", tmp_path / "kept")
    names = []
    monkeypatch.setattr(harness, "measure", lambda system, *_: names.append(system.name) or RUN)
    return names


def test_a_round_is_kept_until_data_or_code_change(data, measured, monkeypatch):
    everyone = [system.name for system in SYSTEMS]
    first = harness.run_all(data, ONCE, rounds=2, again=False)
    assert first[0]["results"]["mmrec-sasrec"]["seconds_per_epoch"] == [10.0, 12.0]
    assert measured == 2 * everyone
    assert harness.run_all(data, ONCE, rounds=2, again=False) == first
    assert measured == 2 * everyone
    harness.run_all(data, ONCE, rounds=3, again=False)
    assert measured == 3 * everyone
    harness.run_all(data, ONCE, rounds=1, again=True)
    assert measured == 4 * everyone
    data.write_text(data.read_text() + "21 1 2 3\n")
    harness.run_all(data, ONCE, rounds=1, again=False)
    assert measured == 5 * everyone


def test_code_and_versions_are_part_of_what_a_result_depends_on(data, tmp_path, monkeypatch):
    project = tmp_path / "project"
    for name in ("mmrec/training/trainer.py", "mmrec/io.py", "benchmarks/softmax_floor.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("")
    (project / "constraints.txt").write_text("torch==1")
    monkeypatch.setattr(systems, "PROJECT", project)
    found = [systems.digest_inputs(data, ONCE)]
    for path in sorted(path for path in project.rglob("*") if path.is_file()):
        path.write_text(path.read_text() + " ")
        found.append(systems.digest_inputs(data, ONCE))
    assert len(set(found)) == 5


def test_a_run_ends_with_its_result_and_a_failed_one_says_why(data, monkeypatch):
    code = f"print('said'); print('{json.dumps(RUN)}')"
    monkeypatch.setattr(systems, "command", lambda *_: [sys.executable, "-c", code])
    assert measure(SYSTEMS[0], data, ONCE)["peak_rss_mib"] == 800
    failing = [sys.executable, "-c", "raise SystemExit('no such model')"]
    monkeypatch.setattr(systems, "command", lambda *_: failing)
    with pytest.raises(FailedError, match="no such model"):
        measure(SYSTEMS[0], data, ONCE)


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


def test_a_system_that_cannot_run_is_skipped_in_every_round(data, measured, monkeypatch):
    asked = []

    def fail_recbole(system: System, *_):
        asked.append(system.name)
        if system.peer == "recbole":
            raise FailedError("no")
        return RUN

    monkeypatch.setattr(harness, "measure", fail_recbole)
    for one in harness.run_all(data, ONCE, rounds=2, again=False):
        assert set(one["skipped"].values()) == {"no"}
        assert set(one["results"]) | set(one["skipped"]) == {system.name for system in SYSTEMS}
    assert asked.count("recbole-sasrec") == 1


def test_the_page_shows_the_measured_table():
    page, measured = harness.PAGE.read_text(), harness.RESULTS / "peers.md"
    shown = page.partition(harness.START)[2].partition(harness.END)[0]
    assert harness.END in page
    assert shown.startswith(measured.read_text())


def test_pins_are_exact():
    for file in Path(systems.PINS).glob("*.txt"):
        lines = file.read_text().splitlines()
        assert all("==" in line for line in lines)
        assert any(line.startswith("torch==") for line in lines)
