"""A block that is touched live: each point is asked for by its name."""

from navigation.acquisition.live_poses import PoseSample
from navigation.acquisition.visiting import BlockCollecting
from tests.calibration.accuracy.block_touched import BLOCK, touched
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
