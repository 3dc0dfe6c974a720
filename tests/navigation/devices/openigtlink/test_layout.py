"""Names at the device read as frames, and mixtures of frames that are refused in words before anything is opened."""

import pytest

from navigation.devices.driver import StampClock
from navigation.devices.openigtlink.layout import frames_of, layout_of, mistakes_of
from tests.navigation.devices.openigtlink.senders import device


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("StylusToTracker", ("Stylus", "Tracker")),
        ("StylusTipToReference", ("StylusTip", "Reference")),
        ("Tool_1ToTracker", ("Tool_1", "Tracker")),
        ("ToolToTool2", ("Tool", "Tool2")),
        ("Stylus", ("Stylus", "")),
        ("Tomato", ("Tomato", "")),
        ("STYLUSTOTRACKER", ("STYLUSTOTRACKER", "")),
        ("stylus", ("stylus", "")),
    ],
)
def test_a_name_is_two_frames_where_it_says_to(name: str, frames: tuple[str, str]) -> None:
    assert frames_of(name) == frames


@pytest.mark.parametrize(
    ("ids", "reference"),
    [
        ({"reference": "ReferenceToTracker", "stylus": "StylusToTracker"}, None),
        ({"reference": "Reference", "stylus": "Stylus"}, None),
        ({"reference": "ReferenceToTracker", "stylus": "StylusToReference"}, "ReferenceToTracker"),
        ({"reference": "Reference", "stylus": "StylusToReference"}, "Reference"),
        ({"stylus": "StylusToTracker", "drill": "DrillToTracker"}, None),
    ],
)
def test_tools_in_one_frame_or_relative_to_the_reference_are_joined(ids: dict[str, str], reference: str | None) -> None:
    asked = device(1, ids)
    assert mistakes_of(asked) == []
    assert layout_of(asked).reference == reference


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ({"reference": "ReferenceToTracker", "stylus": "StylusToProbe"}, "StylusToProbe in Probe"),
        ({"reference": "ReferenceToTracker", "stylus": "TrackerToStylus"}, "TrackerToStylus in Stylus"),
        ({"reference": "ReferenceToTracker", "stylus": "Stylus"}, "Stylus in its own frame"),
        ({"stylus": "StylusToTracker", "drill": "DrillToReference"}, "expected all tools in one frame"),
        ({"stylus": "StylusToToToTracker", "drill": "DrillToTracker"}, "'To' more than once"),
        ({"stylus": "InstrumentNumber1ToTracker", "drill": "InstrumentNumber1ToTrackers"}, "first 20 bytes"),
    ],
)
def test_frames_that_nothing_joins_are_a_mistake_in_words(ids: dict[str, str], words: str) -> None:
    (sentence, *_) = mistakes_of(device(1, ids))
    assert words in sentence
    assert "expected" in sentence
    assert "Fix:" in sentence


def test_a_mixture_without_the_device_times_is_a_mistake() -> None:
    ids = {"reference": "ReferenceToTracker", "stylus": "StylusToReference", "drill": "DrillToTracker"}
    assert mistakes_of(device(1, ids)) == []
    (sentence,) = mistakes_of(device(1, ids, StampClock.ARRIVAL))
    assert "clock = 'sensor'" in sentence
