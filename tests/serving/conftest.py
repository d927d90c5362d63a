"""The small shop of the library's tests, served within the test's process."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pyarrow as pa
import pytest
from PIL import Image
from starlette.testclient import TestClient

from mmrec import schemas
from mmrec.data.packing import write_image_parts
from mmrec.dataset_paths import DatasetPaths
from mmrec.io import write_table
from mmrec.library.run import Run
from mmrec.serving.app import create_app
from mmrec.serving.pictures import NO_PICTURES, Pictures, pictures_of
from tests.library.conftest import runs, shop
from tests.library.worlds import item

__all__ = ["runs", "shop"]

BROKEN, UNSEEN = bytes([2]) * 16, bytes([3]) * 16


def drawing(colour: str, size: tuple[int, int] = (400, 200)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> DatasetPaths:
    """A dataset in which item 3 has two pictures, and item 7 one that does not decode."""
    paths = DatasetPaths(tmp_path_factory.mktemp("pictured"))
    keys = [bytes([1]) * 16, UNSEEN, BROKEN]
    rows = {
        "item_id": [item(3), item(3), item(7)],
        "position": [0, 1, 0],
        "content_key": pa.array(keys, schemas.CONTENT_KEY),
    }
    write_table(pa.table(rows, schema=schemas.IMAGES), paths.images, schemas.IMAGES)
    packed = [(keys[0], drawing("red")), (BROKEN, b"no picture"), (UNSEEN, drawing("blue"))]
    write_image_parts(packed, paths.raw_images)
    return paths


@pytest.fixture(scope="session")
def pictures(pictured: DatasetPaths) -> Pictures:
    return pictures_of(pictured)


def client_of(run: Run, pictures: Pictures = NO_PICTURES) -> TestClient:
    return TestClient(create_app(run, pictures), raise_server_exceptions=False)


@pytest.fixture(scope="session")
def client(runs: dict[str, Run], pictures: Pictures) -> Iterator[TestClient]:
    """Of SASRec, with pictures of two items."""
    with client_of(runs["sasrec"], pictures) as found:
        yield found
