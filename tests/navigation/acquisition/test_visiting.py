"""A block that is touched live: each point is asked for by its name, and what is left to do at one of them."""

from navigation.acquisition.live_poses import PoseSample
from navigation.acquisition.visiting import BlockCollecting, PointTouches, PointTurns
from tests.calibration.accuracy.block_touched import BLOCK, touched
from tests.calibration.accuracy.f2554_touched import measured
from tests.calibration.streams_of import TIP_MM


def test_a_person_is_told_which_point_is_next():
    collecting, stream = BlockCollecting("lab", BLOCK, TIP_MM), touched()
    told = []
    for time_s, pose in zip(stream.time_s, stream.transforms(), strict=True):
        collecting.add(PoseSample(float(time_s), pose))
        if len(collecting) % 20 == 0:
            told.append(collecting.advice().next_step)
    asked = list(dict.fromkeys([*told, collecting.advice().next_step]))
    assert asked[0] == "hold the tip still on a, and tilt the tool to all sides about it"
    assert asked[1:] == [f"hold the tip still on {name}" for name in "bcd"] + ["it is enough: end it with Enter"]
    collecting.undo()
    collecting.advice()
    assert not collecting.is_enough


def fed(collecting, stream, every: int) -> list[str]:
    """What a person is told, without what repeats."""
    told = []
    for number, (time_s, pose) in enumerate(zip(stream.time_s, stream.transforms(), strict=True)):
        collecting.add(PoseSample(float(time_s), pose))
        if number % every == 0:
            told.append(collecting.advice())
    told.append(collecting.advice())
    return list(dict.fromkeys(f"{advice.next_step}; {advice.doubt}" for advice in told))


def test_touches_of_one_point_are_counted():
    collecting = PointTouches("lab", "a", TIP_MM)
    told = fed(collecting, measured(touches=20).single, every=52)
    assert told[0].startswith("hold the tip on a for two seconds, lift it")
    assert [each.split("; ")[1] for each in told] == [f"{number} of 20 touches" for number in range(21)]
    assert collecting.is_enough
    collecting.undo()
    collecting.advice()
    assert not collecting.is_enough


def test_the_axis_that_was_turned_least_is_asked_for():
    collecting = PointTurns("lab", "a", TIP_MM)
    told = fed(collecting, measured().rotation, every=40)
    asked = list(dict.fromkeys(each.split("; ")[0] for each in told))
    assert asked == [
        "put the tip into a",
        "keep the tip in a, and turn the tool forwards and backwards",
        "keep the tip in a, and turn the tool to the left and to the right",
        "it is enough: end it with Enter",
    ]
    assert told[-1].endswith("roll 40 degrees, pitch 40 degrees, yaw 40 degrees")
    assert collecting.is_enough
    narrow = PointTurns("lab", "a", TIP_MM)
    fed(narrow, measured(span_deg=20.0).rotation, every=100)
    assert not narrow.is_enough
