"""A fake NDI device for each test module, on the network and on a serial port."""

from __future__ import annotations

import pytest

from tests.navigation.devices.ndi.lab import Fake


@pytest.fixture(scope="module")
def network():
    fake = Fake("network", "0")
    yield fake
    fake.close()


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    fake = Fake("serial", str(tmp_path_factory.mktemp("serial") / "port"))
    yield fake
    fake.close()


@pytest.fixture(params=["network", "serial"])
def fake(request):
    """Both in turn."""
    fake = request.getfixturevalue(request.param)
    yield fake
    fake.tell(heal=True)
