import argparse
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from benchmarks.peers import probe
from benchmarks.simulated import write_sequences


@pytest.fixture
def script(monkeypatch):
    """The script of the other environment, all that it imports from there replaced."""

    def put(name, **values):
        module = ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)

    monkeypatch.setitem(sys.modules, "probe", probe)
    put("pandas")
    put("rectools", Columns=SimpleNamespace())
    put("rectools.dataset", Dataset=object)
    put("rectools.models", SASRecModel=object)
    trainer = lambda **options: options["callbacks"][0]  # noqa: E731
    put("pytorch_lightning", Callback=object, Trainer=trainer, seed_everything=lambda *_, **__: 0)
    monkeypatch.delitem(sys.modules, "benchmarks.peers.rectools_run", raising=False)
    module = importlib.import_module("benchmarks.peers.rectools_run")
    monkeypatch.setattr(module, "read_dataset", lambda _: (None, []))
    monkeypatch.setattr(module, "users_per_s", lambda _: 1.0)
    monkeypatch.setattr(module, "versions", lambda *_: {})
    monkeypatch.setattr(module.torch, "set_num_threads", lambda _: None)
    yield module
    del sys.modules["benchmarks.peers.rectools_run"]


def run(script, monkeypatch, tmp_path, *, ran, wanted):
    class Model:
        def __init__(self, *, get_trainer_func, **_):
            self.clock = get_trainer_func()

        def fit(self, _):
            for number in range(ran):
                self.clock.on_train_batch_start("trainer", "model", "batch", number)
                self.clock.on_train_batch_end("trainer", "model", "outputs", "batch", number)

    monkeypatch.setattr(script, "SASRecModel", Model)
    monkeypatch.chdir(tmp_path)
    write_sequences(tmp_path / "data.txt", num_users=20, num_items=30)
    script.main(argparse.Namespace(sequences=Path("data.txt"), batches=wanted, threads=1))


def test_an_epoch_is_scaled_from_the_batches_that_ran(script, monkeypatch, tmp_path, capsys):
    run(script, monkeypatch, tmp_path, ran=probe.WARM_UP + 3, wanted=3)
    assert json.loads(capsys.readouterr().out)["scaled_from_batches"] == 3


@pytest.mark.parametrize("ran", [1, probe.WARM_UP, probe.WARM_UP + 2])
def test_too_few_batches_are_refused(script, monkeypatch, tmp_path, ran):
    with pytest.raises(ValueError, match=f"an epoch has {ran} batches, 5 are wanted"):
        run(script, monkeypatch, tmp_path, ran=ran, wanted=3)
