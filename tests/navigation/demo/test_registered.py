"""A demo whose patient was not registered has failed, whatever else went well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from navigation.demo.report import check_registered
from navigation.errors import AcquisitionError


def result(failure: str = "", accepted: object | None = object(), *reasons: str) -> Any:
    operation = None if failure else SimpleNamespace(accepted=accepted, verdict=SimpleNamespace(reasons=reasons))
    return cast(Any, SimpleNamespace(failure=failure, operation=operation))


def test_a_registration_in_force_is_enough():
    check_registered(result())


def test_a_refused_registration_ends_the_demo_with_its_reasons():
    with pytest.raises(AcquisitionError, match="refused: the refinement did not converge; expected"):
        check_registered(result("", None, "the refinement did not converge"))


def test_nothing_registered_ends_the_demo():
    with pytest.raises(AcquisitionError, match="nothing was registered"):
        check_registered(result("no step was seen"))
