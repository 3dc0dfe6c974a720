"""One wheel and one environment of each kind for all tests of the installation."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.installation.harness import Environment, build_wheel, make_environment


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Callable[..., Environment]:
    """The environment with these extras and no others; none for the base."""

    @cache
    def made(*extras: str) -> Environment:
        return make_environment(tmp_path_factory.mktemp("-".join(("with", *extras))), wheel, extras)

    return made
