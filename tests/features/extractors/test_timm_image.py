"""timm backbones: their own preparation, weights from a file, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mmrec.features.extractors.build import build_image_extractor
from mmrec.features.extractors.canonical_batches import BatchSizes
from mmrec.features.extractors.hub import WeightsError
from mmrec.params.features import ImagePreparationParams, TimmImageParams
from tests.features import worlds

SQUARE = ImagePreparationParams(
    side=32, fit="squash", interpolation="bilinear", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)
)


def _params(model: Path | str, **changes: Any) -> TimmImageParams:
    settings = {
        "name": "timm_image",
        "model": str(model),
        "revision": None,
        "checkpoint": None,
        "preparation": None,
        "normalize": False,
        **changes,
    }
    return TimmImageParams.model_validate(settings)


@pytest.fixture(scope="module")
def extractor(timm_folder: Path) -> Any:
    return build_image_extractor(_params(timm_folder))


def test_vectors_are_the_pooled_features_of_the_library(extractor, timm_folder) -> None:
    import timm

    model = timm.create_model(f"local-dir:{timm_folder}", pretrained=True).eval()
    config = timm.data.resolve_data_config(model=model)
    prepare = timm.data.create_transform(**config, is_training=False)
    pictures = [worlds.picture(seed, (70, 60)) for seed in range(3)]
    with torch.inference_mode():
        maps = model.forward_features(torch.stack([prepare(picture) for picture in pictures]))
    expected = model.forward_head(maps, pre_logits=True).numpy()
    assert extractor.dim == expected.shape[1]
    assert extractor.encode(pictures) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_preparation_of_the_checkpoint_can_be_replaced(extractor, timm_folder) -> None:
    other = build_image_extractor(_params(timm_folder, preparation=SQUARE))
    pictures = [worlds.picture(1)]
    assert not np.array_equal(other.encode(pictures), extractor.encode(pictures))
    assert other.fingerprint.preprocessing != extractor.fingerprint.preprocessing
    assert other.fingerprint.weights == extractor.fingerprint.weights


def test_a_weights_file_with_or_without_a_classifier_gives_the_same(timm_folder, tmp_path) -> None:
    whole = timm_folder / "model.safetensors"
    weights = load_file(whole)
    bare = tmp_path / "bare.safetensors"
    save_file({n: t for n, t in weights.items() if not n.startswith("fc.")}, bare)
    pickled = tmp_path / "weights.pth"
    torch.save(weights, pickled)
    one, two, three = (
        build_image_extractor(_params("test_resnet", checkpoint=str(path)))
        for path in (whole, bare, pickled)
    )
    assert one.fingerprint == two.fingerprint == three.fingerprint
    assert np.array_equal(one.encode([worlds.picture(1)]), two.encode([worlds.picture(1)]))


def test_batch_size_is_no_part_of_the_fingerprint(extractor, timm_folder, monkeypatch) -> None:
    monkeypatch.setattr(
        "mmrec.features.extractors.timm_image.batch_sizes", lambda _: BatchSizes(tokens=8, images=3)
    )
    other = build_image_extractor(_params(timm_folder))
    assert other.fingerprint == extractor.fingerprint
    pictures = [worlds.picture(seed) for seed in range(5)]
    assert other.encode(pictures) == pytest.approx(extractor.encode(pictures), rel=1e-5, abs=1e-5)


def test_changed_weights_change_the_fingerprint(extractor, tmp_path) -> None:
    folder = worlds.write_tiny_timm(tmp_path / "other")
    weights = load_file(folder / "model.safetensors")
    name = next(iter(weights))
    weights[name] += 1
    save_file(weights, folder / "model.safetensors")
    other = build_image_extractor(_params(folder))
    assert other.fingerprint.weights != extractor.fingerprint.weights


@pytest.mark.parametrize(
    ("model", "changes", "said"),
    [
        ("resnet_50", {}, "neither a folder"),
        ("test_resnet", {"checkpoint": "missing.pth"}, "no weights file"),
        ("test_resnet", {"revision": "main"}, "set revision to null"),
        ("hf-hub:timm/resnet50", {"checkpoint": "x.pth"}, "set checkpoint to null"),
    ],
)
def test_what_does_not_belong_together_is_explained(model, changes, said) -> None:
    with pytest.raises(WeightsError, match=said):
        build_image_extractor(_params(model, **changes))


def test_a_folder_without_config_is_explained(tmp_path) -> None:
    with pytest.raises(WeightsError, match=r"no config\.json in"):
        build_image_extractor(_params(tmp_path))


def test_weights_of_another_architecture_are_refused(timm_folder) -> None:
    checkpoint = str(timm_folder / "model.safetensors")
    with pytest.raises(WeightsError, match="not the weights of 'test_vit'"):
        build_image_extractor(_params("test_vit", checkpoint=checkpoint))


def test_a_pickle_that_runs_code_is_refused(tmp_path) -> None:
    checkpoint = tmp_path / "evil.pth"
    torch.save({"state_dict": Path(tmp_path)}, checkpoint)
    with pytest.raises(WeightsError):
        build_image_extractor(_params("test_resnet", checkpoint=str(checkpoint)))


def test_damaged_weights_of_a_folder_are_explained(tmp_path) -> None:
    folder = worlds.write_tiny_timm(tmp_path / "timm")
    weights = load_file(folder / "model.safetensors")
    del weights["layer1.0.conv1.weight"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"lacks 1 weights \(first: layer1\.0\.conv1\.weight\)"):
        build_image_extractor(_params(folder))
