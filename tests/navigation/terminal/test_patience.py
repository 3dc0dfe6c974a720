"""Silence is broken while work goes on, and only then."""

from __future__ import annotations

import threading

import pytest

from navigation.terminal.patience import saying


def test_what_takes_long_is_said_again_and_again_until_it_is_done() -> None:
    said: list[str] = []
    twice = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            twice.set()

    with saying(say, "calibrating", every_s=0.5):
        assert twice.wait(60.0)
    assert said[:2] == ["calibrating: 0 s", "calibrating: 1 s"]
    assert not [thread for thread in threading.enumerate() if thread.name == "surgnav-patience"]


def test_it_ends_with_the_work_that_fails_and_says_nothing_of_what_was_quick() -> None:
    said: list[str] = []
    with pytest.raises(ValueError, match="broken"), saying(said.append, "calibrating", every_s=600.0):
        raise ValueError("broken")
    assert said == []
