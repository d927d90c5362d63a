"""Two processes train as one does; one that fails ends the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from pydantic import TypeAdapter
from safetensors.torch import load_file, save_file

from mmrec.models.data import ModelData, TrainingRun
from mmrec.params.models.registry import ModelParams
from mmrec.training import distributed, launching, trainer
from mmrec.training.fit import fit
from mmrec.training.launching import LOST_CONTACT, asked_processes, on_processes
from tests.forkserver import FORKS
from tests.models import cases, worlds
from tests.training.tiny_run import run_data

NUM_ITEMS = 14
LENGTH = 5
TRAINING = {"epochs": 2, "patience": 2, "batch_size": 13}
SMALL = {"embedding_dim": 8, "max_sequence_length": LENGTH, "feedforward_dim": 8}
STILL = {"dropout": 0, "attention_dropout": 0}
MP4SR = {**SMALL, **STILL, "expert_dropout": 0, "num_experts": 2}
ONE_ROW = {**TRAINING, "batching": "dense", "batch_size": LENGTH}


def still(name: str) -> dict[str, Any]:
    """The smallest architecture of a model, without dropout: processes draw their own."""
    silent = without_dropout(worlds.params(name).architecture.model_dump(mode="json"))
    return {**silent, "max_sequence_length": LENGTH}


def without_dropout(settings: dict[str, Any]) -> dict[str, Any]:
    """Those of sections within, too."""
    return {
        name: without_dropout(value)
        if isinstance(value, dict)
        else (0 if name.endswith("dropout") else value)
        for name, value in settings.items()
    }


CASES: dict[str, tuple[dict[str, Any], Any]] = {
    **{
        f"{name}, {stage}": (
            {"name": name, "architecture": still(name), stage: TRAINING},
            stage,
        )
        for name, stage in cases.TRAINED
    },
    "sasrec": (
        {"name": "sasrec", "architecture": {**SMALL, **STILL}, "finetune": TRAINING},
        "finetune",
    ),
    **{
        f"{name} loss, {size} targets": (
            {
                "name": "sasrec",
                "architecture": {**SMALL, **STILL},
                "finetune": {**ONE_ROW, "batch_size": size, "loss": {"name": name, **loss}},
            },
            "finetune",
        )
        for name, size, loss in (
            ("sampled", 13, {"num_negatives": 6}),
            ("in_batch", 13, {}),
            # Of one row: a process without any takes part all the same.
            ("in_batch", LENGTH, {}),
            ("in_batch_sequences", 13, {}),
            ("in_batch_sequences", LENGTH, {}),
            ("full", 13, {"candidates": "trained", "candidate_power": 0.5}),
            ("bce", 13, {}),
            ("bce", LENGTH, {}),
        )
    },
    **{
        name: (
            {"name": name, "architecture": {**SMALL, **STILL, **own}, "finetune": TRAINING},
            "finetune",
        )
        for name, own in (
            ("sasrecm", {"feature_dropout": 0}),
            ("fdsa", {"feature_dropout": 0}),
            ("morec", {}),
        )
    },
    "own IDs": (
        {
            "name": "sasrecm",
            "architecture": {**SMALL, **STILL, "feature_dropout": 0},
            "finetune": {
                **TRAINING,
                "id_dropout": {"chance": 0, "min_count": 2},
                "alignment": {"weight": 0.5},
            },
        },
        "finetune",
    ),
    "in-batch negatives": (
        {"name": "mp4sr", "architecture": MP4SR, "pretrain": TRAINING},
        "pretrain",
    ),
    "batches of one row": (
        {"name": "mp4sr", "architecture": MP4SR, "pretrain": ONE_ROW},
        "pretrain",
    ),
    **{
        f"pmmrec, {name}, one row": (
            {
                "name": "pmmrec",
                "architecture": still("pmmrec"),
                "pretrain": {**ONE_ROW, "losses": losses},
            },
            "pretrain",
        )
        for name, losses in (("nicl", {}), ("no contrast", {"contrast": "none"}))
    },
    "one row, next item": (
        {"name": "mp4sr", "architecture": MP4SR, "finetune": ONE_ROW},
        "finetune",
    ),
}


def data() -> ModelData:
    lists = [
        [(user * 3 + step) % NUM_ITEMS + 1 for step in range(4 + user % 4)] for user in range(11)
    ]
    return run_data(NUM_ITEMS, lists)


def fit_all(folder: Path) -> dict[str, object]:
    """Every case once; each process writes down the weights it ended with."""
    for name in CASES:
        fit_case(name, folder / name)
    return {"processes": dist.get_world_size() if dist.is_initialized() else 1}


def fit_sasrec(folder: Path) -> dict[str, object]:
    """One case."""
    fit_case("sasrec", folder)
    return {}


def fit_for_long(folder: Path) -> dict[str, object]:
    """One case, with epochs enough to be interrupted in."""
    (folder / f"{os.getpid()}.pid").touch()
    fit_case("sasrec", folder, epochs=100_000, patience=100_000)
    return {}


def fit_case(name: str, folder: Path, **changes: int) -> None:
    sections, stage = CASES[name]
    rank = dist.get_rank() if dist.is_initialized() else 0
    sections = {"pretrain": None, "finetune": TRAINING, **sections}
    sections[stage] = {**sections[stage], **changes}
    recommender, _ = fit(
        TypeAdapter(ModelParams).validate_python(sections),
        data(),
        TrainingRun(stage, 1, mask_history=False),
        weights=None,
        checkpoint_dir=folder / "checkpoints",
        history_path=folder / "history.csv",
    )
    save_file(recommender.state_dict(), folder / f"{rank}.safetensors")


def fail_in_second(folder: Path) -> dict[str, object]:
    """The second process raises; the first waits for it as in a training."""
    (folder / f"{os.getpid()}").touch()
    if dist.get_rank() == 1:
        raise ValueError("the second process found something to say")
    dist.barrier()
    return {}


def die_in_second(folder: Path) -> dict[str, object]:
    """The second process is killed while the first waits for it."""
    if dist.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    dist.all_reduce(torch.zeros(1))
    return {}


def wait_for_ever(folder: Path) -> dict[str, object]:
    """Both processes say who they are, and never end."""
    (folder / f"{os.getpid()}").touch()
    time.sleep(3600)
    return {}


def history(folder: Path) -> tuple[list[str], torch.Tensor]:
    header, *lines = (folder / "history.csv").read_text().splitlines()
    return header.split(","), torch.tensor([list(map(float, line.split(","))) for line in lines])


def child_on_cpu(*arguments: Any) -> None:
    """A process of the training: its environment is that of the server, which knows no device."""
    os.environ["MMREC_DEVICE"] = "cpu"
    launching._child(*arguments)


@contextmanager
def two_forks() -> Iterator[None]:
    """Two processes that import nothing anew; `start` has some that do, as the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMREC_PROCESSES", "2")
        patch.setattr(launching.multiprocessing, "get_context", lambda _: FORKS)
        patch.setattr(launching, "_child", child_on_cpu)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of the trainings of one process and of two."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMREC_DEVICE", "cpu")
        assert on_processes(fit_all, one) == {"processes": 1}
    with two_forks():
        assert on_processes(fit_all, two) == {"processes": 2}
    return one, two


@pytest.mark.parametrize("case", CASES)
def test_two_processes_end_with_the_losses_and_weights_of_one(
    case: str, trained: tuple[Path, Path]
) -> None:
    one, two = (folder / case for folder in trained)
    columns, expected = history(one)
    assert len(expected) == 2
    assert history(two)[0] == columns
    torch.testing.assert_close(history(two)[1], expected, rtol=1e-5, atol=1e-5)
    weights = load_file(one / "0.safetensors")
    for rank in (0, 1):
        for name, value in load_file(two / f"{rank}.safetensors").items():
            torch.testing.assert_close(value, weights[name], rtol=1e-4, atol=1e-5, msg=name)
    first, second = (load_file(two / f"{rank}.safetensors") for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_one_process_goes_on_with_the_checkpoint_of_two(
    trained: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMREC_DEVICE", "cpu")
    monkeypatch.setattr(trainer, "run_epoch", None)  # nothing is left to train
    before = {name: history(trained[1] / name)[1] for name in CASES}
    fit_all(trained[1])
    for name in CASES:
        assert torch.equal(history(trained[1] / name)[1], before[name])


def test_a_process_that_raises_ends_all_with_its_words(tmp_path: Path) -> None:
    started = time.monotonic()
    words = "the second process found something to say"
    with two_forks(), pytest.raises(ValueError, match=words) as caught:
        on_processes(fail_in_second, tmp_path)
    assert "in fail_in_second" in "".join(caught.value.__notes__)
    assert time.monotonic() - started < 60
    pids = [int(path.name) for path in tmp_path.iterdir()]
    assert len(pids) == 2
    assert not any(map(runs, pids))


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def fail_at_length(kilobytes: int) -> dict[str, object]:
    """Every process has more to say than a pipe holds for all of them, or for one."""
    raise ValueError("told at length: " + "x" * 1000 * kilobytes)


def tell_at_length(kilobytes: int) -> dict[str, object]:
    """A summary that is longer than a pipe holds."""
    return {"long": "x" * 1000 * kilobytes}


@pytest.fixture
def light_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that neither import anew nor meet, so that there can be many."""
    forked = multiprocessing.get_context("fork")
    monkeypatch.setattr(launching.multiprocessing, "get_context", lambda _: forked)
    monkeypatch.setattr(launching, "process_group", lambda *_: nullcontext())
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.usefixtures("light_processes")
@pytest.mark.parametrize(("processes", "kilobytes"), [(12, 20), (2, 200)])
def test_processes_that_fail_together_end_with_the_words_of_one(
    processes: int, kilobytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMREC_PROCESSES", str(processes))
    started = time.monotonic()
    with pytest.raises(ValueError, match="told at length") as caught:
        on_processes(fail_at_length, kilobytes)
    assert len(str(caught.value)) > 1000 * kilobytes
    assert "in fail_at_length" in "".join(caught.value.__notes__)
    assert time.monotonic() - started < launching.GRACE_SECONDS


def die_in_the_midst(rank: int, size: int, place: str, results: Connection, *_: object) -> None:
    """Sends less than its message says that it has."""
    os.write(results.fileno(), (1000).to_bytes(4, "big") + b"half a message")
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("light_processes")
def test_half_a_message_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMREC_PROCESSES", "2")
    monkeypatch.setattr(launching, "_child", die_in_the_midst)
    with pytest.raises(ChildProcessError, match="process 0 of 2 was ended by SIGKILL"):
        on_processes(tell_at_length, 1)


@pytest.mark.usefixtures("light_processes")
def test_a_summary_may_be_longer_than_a_pipe_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMREC_PROCESSES", "2")
    assert on_processes(tell_at_length, 200) == tell_at_length(200)


def test_a_process_that_is_killed_ends_all_and_is_named(tmp_path: Path) -> None:
    words = "process 1 of 2 was ended by SIGKILL"
    with two_forks(), pytest.raises(ChildProcessError, match=words):
        on_processes(die_in_second, tmp_path)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a function of this module as a stage does, in a session of its own."""
    script, started = tmp_path / "stage.py", []
    script.write_text(
        "import sys; from pathlib import Path\n"
        "from mmrec.training.launching import on_processes\n"
        "from tests.training import test_distributed\n"
        "if __name__ == '__main__':\n"
        "    on_processes(getattr(test_distributed, sys.argv[1]), Path(sys.argv[2]))\n"
    )
    own = {"MMREC_DEVICE": "cpu", "PYTHONPATH": str(Path(__file__).parents[2])}

    def start(
        work: Callable[..., Any], folder: Path, *launcher: str, processes: int = 2
    ) -> subprocess.Popen[bytes]:
        folder.mkdir(exist_ok=True)
        command = [sys.executable, *launcher, script, work.__name__, folder]
        environment = {**os.environ, **own, "MMREC_PROCESSES": str(processes)}
        started.append(subprocess.Popen(command, env=environment, start_new_session=True))
        return started[-1]

    yield start
    for stage in started:
        with suppress(ProcessLookupError):
            os.killpg(stage.pid, signal.SIGKILL)
        stage.wait()


def test_the_processes_of_a_killed_stage_end_with_it(
    tmp_path: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    folder = tmp_path / "processes"
    stage = start(wait_for_ever, folder)
    wait_until(lambda: len(list(folder.iterdir())) == 2)
    stage.kill()
    stage.wait()
    pids = [int(path.name) for path in folder.iterdir()]
    wait_until(lambda: not any(map(runs, pids)))


def test_ctrl_c_ends_all_processes_and_leaves_a_checkpoint_to_continue_from(
    tmp_path: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    folder = tmp_path / "run"
    stage = start(fit_for_long, folder)
    wait_until((folder / "history.csv").exists)
    wait_until(lambda: len(history(folder)[1]) > 1)
    os.killpg(stage.pid, signal.SIGINT)  # a terminal sends it to all of them
    assert stage.wait(60) == -signal.SIGINT
    pids = [int(path.stem) for path in folder.glob("*.pid")]
    assert len(pids) == 2
    wait_until(lambda: not any(map(runs, pids)))
    before = history(folder)[1]
    start(fit_for_long, folder, processes=1)
    wait_until(lambda: len(history(folder)[1]) > len(before))
    assert torch.equal(history(folder)[1][: len(before)], before)


def test_torchrun_trains_as_one_process_does(
    tmp_path: Path,
    trained: tuple[Path, Path],
    start: Callable[..., subprocess.Popen[bytes]],
) -> None:
    folder = tmp_path / "run"
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    assert start(fit_sasrec, folder, *torchrun, processes=1).wait(120) == 0
    expected = load_file(trained[0] / "sasrec" / "0.safetensors")
    for rank in (0, 1):
        for name, value in load_file(folder / f"{rank}.safetensors").items():
            torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5, msg=name)


def wait_until(happened: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_every_process_draws_other_numbers_and_the_first_those_of_one_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seeds = []
    for rank in range(3):
        monkeypatch.setattr(distributed, "process_rank", lambda rank=rank: rank)
        seeds.append(distributed.seed_of_process(7))
    assert seeds[0] == 7
    assert len(set(seeds)) == 3


def test_a_gradient_that_only_a_later_batch_gives_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distributed, "num_processes", lambda: 2)
    monkeypatch.setattr(distributed.dist, "all_reduce", lambda _: None)  # the other one adds 0
    parameters = {name: torch.nn.Parameter(torch.ones(2)) for name in ("always", "late", "never")}
    sum_over_processes = distributed.SumOverProcesses(parameters)

    def step(*names: str) -> None:
        for name, value in parameters.items():
            value.grad = torch.ones(2) if name in names else None
        sum_over_processes({"loss": torch.ones(())})

    step("always")
    step()  # a process without rows of a batch
    step("always")
    with pytest.raises(
        ValueError, match=r"late: first trained by a later batch.*MMREC_PROCESSES=1"
    ):
        step("always", "late")


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ([LOST_CONTACT, 9], "process 1 of 2 ended with exit code 9"),
        ([-signal.SIGABRT, -signal.SIGKILL], "process 1 of 2 was ended by SIGKILL"),
        ([-signal.SIGABRT, LOST_CONTACT], "process 0 of 2 was ended by SIGABRT"),
        ([None, -9], "process 1 of 2 was ended by SIGKILL"),
        ([LOST_CONTACT, LOST_CONTACT, 0], "process 0 of 3 lost contact"),
    ],
)
def test_the_process_that_died_first_is_named(codes: list[int | None], words: str) -> None:
    with pytest.raises(ChildProcessError, match=words):
        launching._result([], codes)


def test_an_interrupted_process_is_an_interruption_of_the_stage() -> None:
    with pytest.raises(KeyboardInterrupt):
        launching._result([], [launching.INTERRUPTED, LOST_CONTACT])


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²"])
def test_what_is_no_number_of_processes_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMREC_PROCESSES", text)
    with pytest.raises(ValueError, match=f"MMREC_PROCESSES={text}: found no whole number"):
        asked_processes()


@pytest.mark.parametrize(("text", "number"), [(None, 1), ("", 1), ("1", 1), ("3", 3)])
def test_the_number_of_processes_is_one_unless_asked_for(
    text: str | None, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MMREC_PROCESSES", raising=False)
    if text is not None:
        monkeypatch.setenv("MMREC_PROCESSES", text)
    assert asked_processes() == number
