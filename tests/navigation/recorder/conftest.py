"""One recording of a served room for all tests of what is made of it."""

import pytest

from tests.navigation.recorder.recorded_room import Recorded, recorded_room


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded_room(tmp_path_factory.mktemp("recorded"))
