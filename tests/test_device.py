import pytest
import torch

from mmrec.device import choose_device


def test_environment_decides(monkeypatch):
    monkeypatch.setenv("MMREC_DEVICE", "cpu")
    assert choose_device() == torch.device("cpu")


@pytest.mark.parametrize("name", ["", None])
def test_default_is_what_the_machine_has(monkeypatch, name):
    monkeypatch.delenv("MMREC_DEVICE", raising=False)
    if name is not None:
        monkeypatch.setenv("MMREC_DEVICE", name)
    assert choose_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_unknown_device_is_named(monkeypatch):
    monkeypatch.setenv("MMREC_DEVICE", "toaster")
    with pytest.raises(ValueError, match="MMREC_DEVICE=toaster"):
        choose_device()
