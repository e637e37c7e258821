"""Small data sets made on the spot."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import SHAPE, nifti_bytes


@pytest.fixture
def image() -> np.ndarray:
    """An image whose values tell the voxel: 100 i + 10 j + k + 1."""
    i, j, k = np.indices(SHAPE)
    return (100 * i + 10 * j + k + 1).astype(np.int16)


@pytest.fixture
def write(tmp_path: Path, image: np.ndarray) -> Callable[..., Path]:
    """Write a data set: `write({"s0001": {"liver": mask, ...}}, meta="...")` returns its root.

    A value may be an array, the bytes of a file, or None for no file; the key "mri" is the image.
    """

    def make(
        cases: Mapping[str, Mapping[str, Any]], meta: str | bytes | None = None, root: str = "set"
    ) -> Path:
        top = tmp_path / root
        for case, files in cases.items():
            folder = top / case / "segmentations"
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in {"mri": image, **files}.items():
                if content is None:
                    continue
                path = (top / case if name == "mri" else folder) / f"{name}.nii.gz"
                path.write_bytes(content if isinstance(content, bytes) else nifti_bytes(content))
        if meta is None:
            meta = "image_id;split\n" + "".join(f"{case};train\n" for case in cases)
        if meta:
            (top / "meta.csv").write_bytes(meta if isinstance(meta, bytes) else meta.encode("utf-8-sig"))
        return top

    return make
