import pytest

from benchmarks import shared_machine
from benchmarks.shared_machine import WAITING, run_all, table


def test_rounds_are_compared_with_torch_alone(tmp_path, monkeypatch):
    def measured(model, file, seconds, waiting, beside):
        asked.append((waiting, beside))
        slower = {"nobody": 1, "a training": 4, "a busy core": 2}[beside]
        if (waiting, beside, len(asked)) == ("mmrec", "a training", 3):
            slower = 8
        return {"steps_per_s": 20 / slower, "users_per_s": 1000 / slower}

    asked = []
    monkeypatch.setattr(shared_machine, "measure", measured)
    monkeypatch.setattr(shared_machine, "MODELS", {"sasrec": None})
    found = run_all(tmp_path, rounds=3, seconds=1.0)
    assert len(asked) == 3 * 3 * len(WAITING)
    assert asked[:2] == [("mmrec", "nobody"), ("torch", "nobody")]
    lines = table(found).splitlines()
    assert len(lines) == 2 + 3 * len(WAITING)
    assert (
        "| sasrec | mmrec | a training | 5.0 | 4.00 × | 8.00 × | 250.0 | 4.00 × | 8.00 × |" in lines
    )


def test_a_measured_process_that_ends_early_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="ended before its start"):
        shared_machine.measure("sasrec", tmp_path / "none.txt", 0.1, "mmrec", "nobody")
