import pytest
import torch

from mmrec.device import choose_device, compile_if_asked


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


@pytest.mark.parametrize(("asked", "expected"), [("1", [{"dynamic": True}]), ("0", []), ("", [])])
def test_a_module_is_compiled_only_if_asked(monkeypatch, asked, expected):
    monkeypatch.setenv("MMREC_COMPILE", asked)
    module, calls = torch.nn.Linear(2, 2), []
    module.compile = lambda **settings: calls.append(settings)
    compile_if_asked(module)
    assert calls == expected


def test_an_unclear_wish_to_compile_is_refused(monkeypatch):
    monkeypatch.setenv("MMREC_COMPILE", "maybe")
    with pytest.raises(ValueError, match="MMREC_COMPILE=maybe"):
        compile_if_asked(torch.nn.Linear(2, 2))
