import signal
import time
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree

import pytest
import torch
from safetensors.torch import save_file

from mmrec.training.checkpoint import CheckpointStore, discard_checkpoints
from mmrec.training.state import TrainingState
from tests.training.tiny import TinyObjective


def parts(seed=0):
    objective = TinyObjective(seed)
    return objective, torch.optim.Adam(objective.parameters())


def filled(folder, epoch):
    """A checkpoint whose weights all say the epoch; every third epoch is a best one."""
    objective, optimizer = parts()
    with torch.no_grad():
        for parameter in objective.parameters():
            parameter.fill_(epoch)
    best = epoch - epoch % 3
    CheckpointStore(folder, "digest").save(
        TrainingState(epoch=epoch, best_epoch=best, best_metric=0.5), objective, optimizer
    )


def fill_forever(folder, start):
    for epoch in count(start):
        filled(folder, epoch)


def test_kill_at_any_moment_leaves_a_whole_checkpoint_with_its_best(tmp_path):
    folder = tmp_path / "checkpoints"
    filled(folder, 0)
    epoch = 0
    for round_number in range(8):
        # Forked, not spawned: a new process would spend seconds on importing torch.
        writer = get_context("fork").Process(
            target=fill_forever, args=(folder, epoch + 3 - epoch % 3), daemon=True
        )
        writer.start()
        deadline = time.monotonic() + 30
        while max(folder.glob("last-*"), default=folder).name <= f"last-{epoch + 3:06d}":
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(0.0037 * round_number)
        writer.kill()
        writer.join()
        assert writer.exitcode == -signal.SIGKILL
        found = whole_epoch(folder)
        assert found > epoch
        epoch = found


def dying(changes):
    """Wrap a function so that it dies once `changes` have been made by all wrapped ones."""
    left = iter(range(changes))

    def wrap(function):
        def call(*arguments, **keywords):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return function(*arguments, **keywords)

        return call

    return wrap


def test_death_at_each_step_of_a_save_leaves_the_old_or_the_new(tmp_path, monkeypatch):
    found = []
    for changes in range(20):
        folder = tmp_path / str(changes)
        for epoch in (3, 4, 5):
            filled(folder, epoch)
        wrap, died = dying(changes), True
        with monkeypatch.context() as patch:
            patch.setattr("mmrec.training.sealed_files.save_file", wrap(save_file))
            patch.setattr(Path, "rename", wrap(Path.rename))
            patch.setattr("shutil.rmtree", wrap(rmtree))
            try:
                filled(folder, 6)
                died = False
            except KeyboardInterrupt:
                pass
        found.append(whole_epoch(folder))
        for epoch in range(found[-1] + 1, 8):
            filled(folder, epoch)
        assert sorted(path.name for path in folder.iterdir()) == ["best-000006", "last-000007"]
        if not died:
            break
    assert not died
    assert found == sorted(found)
    assert set(found) == {5, 6}
    assert len(found) >= 6


def whole_epoch(folder):
    """Epoch of the newest checkpoint, all of which must speak of one epoch."""
    objective, optimizer = parts()
    store = CheckpointStore(folder, "digest")
    state = store.resume(objective, optimizer)
    assert state is not None
    assert objective.bias[0].item() == state.epoch
    store.load_best(state, objective)
    assert objective.bias[0].item() == state.best_epoch
    return state.epoch


def test_optimizer_state_survives_exactly(tmp_path):
    objective, optimizer = parts()
    objective(tiny_batch())["next_item"].backward()
    optimizer.step()
    store = CheckpointStore(tmp_path / "checkpoints", "digest")
    store.save(TrainingState(1, 1, 0.1 + 0.2, [{"epoch": 1, "loss": 1 / 3}]), objective, optimizer)
    again, optimizer_again = parts(seed=5)
    state = store.resume(again, optimizer_again)
    assert state == TrainingState(1, 1, 0.1 + 0.2, [{"epoch": 1, "loss": 1 / 3}])
    before, after = optimizer.state_dict()["state"], optimizer_again.state_dict()["state"]
    assert before.keys() == after.keys()
    for number, moments in before.items():
        for name, value in moments.items():
            assert torch.equal(value, after[number][name])
            assert value.dtype == after[number][name].dtype


def tiny_batch():
    from mmrec.data.batches import Batch

    items = torch.tensor([[1, 2, 3]])
    return Batch(items=items, targets=torch.tensor([[2, 3, 4]]), users=torch.tensor([0]))


def test_feature_buffers_and_pickles_are_not_in_it(tmp_path):
    filled(tmp_path / "checkpoints", 1)
    names = {path.name for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()}
    assert names == {"weights.safetensors", "optimizer.safetensors", "state.json"}
    weights = (tmp_path / "checkpoints" / "last-000001" / "weights.safetensors").read_bytes()
    assert b'"bias"' in weights
    assert b"features" not in weights


@pytest.mark.parametrize(
    "name",
    [
        "last-000003/state.json",
        "last-000003/weights.safetensors",
        "last-000003/optimizer.safetensors",
        "best-000003/state.json",
        "best-000003/weights.safetensors",
    ],
)
def test_a_checkpoint_that_cannot_be_read_is_named_and_kept(tmp_path, name):
    folder = tmp_path / "checkpoints"
    filled(folder, 3)
    path = folder / name
    path.rename(folder / "kept")
    path.symlink_to(path)  # is there and cannot be opened, as without the right to
    with pytest.raises(OSError, match=rf"{name}: cannot be read .*symbolic.*is kept"):
        CheckpointStore(folder, "digest").resume(*parts())
    (folder / "kept").rename(path)
    assert whole_epoch(folder) == 3


def test_a_training_of_other_settings_is_put_aside_until_one_has_ended(tmp_path, caplog):
    folder, aside = tmp_path / "checkpoints", tmp_path / "checkpoints.old"
    for epoch, digest in ((3, "second"), (6, "third")):
        filled(folder, epoch)
        assert CheckpointStore(folder, digest).resume(*parts()) is None
        assert not folder.exists()
        assert f"{folder} is kept as {aside}" in caplog.text
        assert whole_epoch(aside) == epoch, "of two, the later is kept"
    filled(folder, 0)
    assert CheckpointStore(folder, "fourth").resume(*parts()) is None
    assert not folder.exists()
    assert whole_epoch(aside) == 6, "an untrained model takes nobody's place"
    discard_checkpoints(folder)
    assert not list(tmp_path.iterdir())


def test_no_folder_is_no_checkpoint_and_nothing_to_discard(tmp_path):
    assert CheckpointStore(tmp_path / "none", "digest").resume(*parts()) is None
    discard_checkpoints(tmp_path / "none")


def test_a_process_that_did_not_write_a_checkpoint_never_starts_anew(tmp_path, monkeypatch):
    filled(tmp_path / "checkpoints", 3)
    monkeypatch.setattr("mmrec.training.checkpoint.is_first_process", lambda: False)
    for folder, digest, why in (
        ("checkpoints", "another digest", "belongs to other settings"),
        ("elsewhere", "digest", "has no checkpoint"),
    ):
        with pytest.raises(ValueError, match=f"{why}.*every process needs the same"):
            CheckpointStore(tmp_path / folder, digest).resume(*parts())
    assert CheckpointStore(tmp_path / "checkpoints", "digest").resume(*parts()) is not None
