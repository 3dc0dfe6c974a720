"""The session: every step can be taken back, whatever the steps were; and the files it reads say their frame."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from case.errors import MarkupsError
from case.markups import write_markups
from geometry import SurgNavError
from navigation.commands.register.session import Session
from registration.errors import PointsFileError, RegisteringError
from registration.measurements import TouchedPoint
from registration.record.point_files import (
    CSV_HEADER,
    read_planned,
    read_sweep,
    read_touched,
    write_sweep,
    write_touched,
)

PLAN = {f"m{number}": np.array([float(number), 0.0, 0.0]) for number in range(1, 5)}
NAMES = list(PLAN)


def touch(x: float = 0.0) -> TouchedPoint:
    return TouchedPoint(np.array([x, 2.0, 3.0]), 0.2, 60)


def seen(session: Session) -> tuple[object, ...]:
    """Everything that a registration would be made from."""
    now = session.now
    touched = {name: point.point_reference_mm.tolist() for name, point in now.touched.items()}
    return touched, now.skipped, [len(piece) for piece in now.sweeps], now.attempt, session.asked, session.stage


steps = st.lists(
    st.tuples(st.sampled_from(["touch", "skip", "redo", "sweep", "computed", "over"]), st.sampled_from(NAMES)),
    max_size=12,
)


def take(session: Session, step: str, name: str) -> None:
    if step == "touch":
        session.touch(name, touch())
    elif step == "skip":
        session.skip(name)
    elif step == "redo":
        session.redo(name)
    elif step == "sweep":
        session.sweep(np.zeros((5, 3)))
    elif step == "computed":
        session.computed("r-0001")
    else:
        session.start_over()


@given(steps)
def test_undo_takes_back_any_history_step_by_step(history: list[tuple[str, str]]) -> None:
    session = Session(PLAN, {})
    before = []
    for step, name in history:
        before.append(seen(session))
        take(session, step, name)
        # A landmark is touched, skipped, or neither; and a registration belongs to the measurements as they are.
        assert not set(session.now.touched) & set(session.now.skipped)
        assert session.asked not in session.now.touched
        assert (session.now.attempt is not None) <= (session.stage == "computed")
    for state in reversed(before):
        session.undo()
        assert seen(session) == state
    with pytest.raises(RegisteringError, match="beginning"):
        session.undo()


def test_landmarks_are_asked_for_in_the_order_of_the_plan() -> None:
    session = Session(PLAN, {})
    assert (session.asked, session.stage) == ("m1", "landmarks")
    session.touch("m1", touch())
    session.skip("m2")
    assert session.asked == "m3"
    session.redo("m1")
    assert session.asked == "m1"
    for name in ("m1", "m3", "m4"):
        session.touch(name, touch())
    assert (session.asked, session.stage, session.free) == (None, "sweep", ("m2",))
    session.sweep(np.ones((3, 3)))
    session.sweep(np.zeros((2, 3)))
    assert session.stage == "ready"
    assert session.measured().swept_reference_mm.shape == (5, 3)
    assert list(session.measured().pairs()[0]) == ["m1", "m3", "m4"]
    session.computed("r-0001")
    assert session.stage == "computed"
    session.sweep(np.zeros((2, 3)))  # a new measurement: the registration no longer belongs to it
    assert (session.stage, session.now.attempt) == ("ready", None)
    with pytest.raises(RegisteringError, match="nose"):
        session.touch("nose", touch())


# ---------------------------------------------------------------------------------------------------------------- files
coordinates = st.floats(-2000.0, 2000.0)


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.tuples(*[coordinates] * 3), min_size=1, max_size=5))
def test_touched_points_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, points: dict[str, tuple[float, float, float]]
) -> None:
    path = tmp_path_factory.mktemp("touched") / "touched.json"
    write_touched(path, {name: TouchedPoint(np.array(point), 0.25, 60) for name, point in points.items()})
    back = read_touched(path)
    assert list(back) == list(points)
    for name, point in points.items():
        np.testing.assert_array_equal(back[name].point_reference_mm, point)
        assert (back[name].spread_rms_mm, back[name].n_frames) == (0.25, 60)
    document = json.loads(path.read_text())
    assert (document["frame"], document["units"]) == ("reference", "mm")


@given(st.lists(st.tuples(*[coordinates] * 3), min_size=1, max_size=5))
def test_a_sweep_comes_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, points: list[tuple[float, float, float]]
) -> None:
    path = tmp_path_factory.mktemp("sweep") / "sweep.csv"
    write_sweep(path, np.array(points))
    np.testing.assert_array_equal(read_sweep(path), points)


def ply(path: Path, comment: str) -> Path:
    points = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    content = trimesh.PointCloud(points).export(file_type="ply")
    path.write_bytes(
        content.replace(b"format binary_little_endian 1.0\n", b"format binary_little_endian 1.0\n" + comment.encode())
    )
    return path


def test_a_ply_is_read_if_it_says_its_frame_and_unit(tmp_path: Path) -> None:
    good = ply(tmp_path / "good.ply", "comment frame=reference unit=mm\n")
    np.testing.assert_allclose(read_sweep(good), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], atol=1e-6)  # single precision
    for comment in ("", "comment frame=ct unit=mm\n", "comment frame=reference unit=m\n"):
        with pytest.raises(PointsFileError, match="frame=reference"):
            read_sweep(ply(tmp_path / "bad.ply", comment))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "x,y,z\n1,2,3\n",
        f"{CSV_HEADER}\n",
        f"{CSV_HEADER}\n1,2\n",
        f"{CSV_HEADER}\n1,2,nan\n",
        f"{CSV_HEADER}\n1,2,three\n",
        f"{CSV_HEADER.replace('reference', 'ct')}\n1,2,3\n",
        f"{CSV_HEADER.replace('_mm', '_m')}\n1,2,3\n",
    ],
)
def test_a_sweep_that_is_not_certain_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "sweep.csv"
    path.write_text(content)
    with pytest.raises(PointsFileError, match=r"sweep\.csv"):
        read_sweep(path)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 400))
def test_a_damaged_ply_is_a_named_error_or_points(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int
) -> None:
    path = ply(tmp_path_factory.mktemp("ply") / "sweep.ply", "comment frame=reference unit=mm\n")
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    path.write_bytes(content[: max(1, len(content) - max(0, cut - 300))])
    with contextlib.suppress(PointsFileError):
        assert np.isfinite(read_sweep(path)).all()


def points_file(**changes: object) -> dict[str, object]:
    good = {"schema_name": "surgnav.points", "frame": "reference", "units": "mm"}
    return good | {"points": {"nose": {"position_mm": [1.0, 2.0, 3.0]}}} | changes


@pytest.mark.parametrize(
    "document",
    [
        points_file(frame="ct"),
        points_file(frame="tracker"),
        points_file(units="m"),
        {key: value for key, value in points_file().items() if key != "frame"},
        {key: value for key, value in points_file().items() if key != "units"},
        points_file(points={}),
        points_file(points={"nose": {"position_mm": [1.0, 2.0]}}),
        points_file(points={"nose": {"position_mm": [1.0, 2.0, None]}}),
        points_file(points={"nose": [1.0, 2.0, 3.0]}),
        [],
    ],
)
def test_touched_points_without_certain_frame_and_unit_are_refused(tmp_path: Path, document: object) -> None:
    path = tmp_path / "touched.json"
    path.write_text(json.dumps(document))
    with pytest.raises(PointsFileError, match=r"touched\.json"):
        read_touched(path)


def test_markups_are_of_the_ct_and_never_of_the_reference(tmp_path: Path) -> None:
    path = tmp_path / "points.mrk.json"
    write_markups(path, "points", PLAN)
    assert list(read_planned(path)) == NAMES
    with pytest.raises(PointsFileError, match="markups hold coordinates of the CT"):
        read_touched(path)


def test_planned_points_may_be_json_of_the_ct(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(points_file(frame="ct")))
    np.testing.assert_array_equal(read_planned(path)["nose"], [1.0, 2.0, 3.0])
    path.write_text(json.dumps(points_file()))
    with pytest.raises(PointsFileError, match="points of 'reference'"):
        read_planned(path)


@pytest.mark.parametrize("read", [read_touched, read_planned, read_sweep])
def test_a_file_that_is_not_there_is_a_named_error(tmp_path: Path, read: object) -> None:
    for name in ("away.json", "away.csv", "away.ply", "away.mrk.json"):
        with pytest.raises((PointsFileError, MarkupsError)) as refused:
            read(tmp_path / name)
        assert isinstance(refused.value, SurgNavError)
