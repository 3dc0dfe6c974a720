"""What every test may rely on: quiet threads, repeatable properties, and where the recorded data lies."""

import os

# Before anything imports torch: spinning OpenMP threads steal the cores from one another.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

# A busy machine is no counter-example: no deadlines. In CI the examples are the same ones every time.
settings.register_profile("surgnav", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("surgnav"), derandomize=True, print_blob=True)
settings.load_profile("ci" if IN_CI else "surgnav")


def shared_data_folder() -> Path:
    """Where recorded CT, tracking and ultrasound data is expected: SURGNAV_DATA, or beside the checkout."""
    named = os.environ.get("SURGNAV_DATA")
    return Path(named) if named else REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded data. Absent: the test is skipped with the reason, but in CI it fails."""
    folder = shared_data_folder()
    if folder.is_dir():
        return folder
    reason = f"recorded data expected at {folder}, which is no folder; set SURGNAV_DATA to where it is"
    if IN_CI:
        pytest.fail(f"CI must test on recorded data: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this checkout."""
    return REPOSITORY
