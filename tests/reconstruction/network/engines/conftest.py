"""TensorRT for RTX, which needs no GPU to build: the same builder wherever these tests run."""

from __future__ import annotations

import pytest

from reconstruction.network.engines import tensorrt_versions


@pytest.fixture
def rtx(monkeypatch: pytest.MonkeyPatch) -> tensorrt_versions.TensorRt:
    """The module, and nothing else to be found."""
    monkeypatch.setattr(tensorrt_versions, "MODULES", ("tensorrt_rtx",))
    return tensorrt_versions.import_tensorrt()
