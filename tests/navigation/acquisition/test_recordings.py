"""Recordings as streams of poses, and a sentence for each way in which one can be broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from geometry.errors import SurgNavError
from navigation.acquisition.recordings import input_of, read_stream
from tests.calibration.streams_of import pivoted
from tests.navigation.acquisition.recorded_streams import write_csv, write_folder
from tests.navigation.devices.replay.recorded_frames import as_message, made_frames, write_mcap


def test_a_table_and_a_folder_give_the_poses_that_were_written(tmp_path: Path):
    made = pivoted(30)
    table = read_stream(write_csv(tmp_path / "a.csv", made, hidden=(3, 4)), "stylus")
    assert (table.n_missing, table.source, table.name) == (2, "a.csv", "T_tracker_stylus")
    seen = np.setdiff1d(np.arange(30), [3, 4])
    np.testing.assert_allclose(table.poses, made.poses[seen], atol=1e-6)
    np.testing.assert_allclose(table.time_s, made.time_s[seen], atol=1e-6)
    by_time = read_stream(write_folder(tmp_path / "by_time", made), "stylus")
    numbered = read_stream(write_folder(tmp_path / "numbered", made, named_by_time=False), "stylus", rate_hz=20.0)
    for folder in (by_time, numbered):
        np.testing.assert_allclose(folder.poses, made.poses, atol=2e-6)
        np.testing.assert_allclose(folder.time_s, made.time_s, atol=1e-6)


def test_mcap_by_the_id_of_the_tool(tmp_path: Path):
    frames = made_frames(20)
    stream = read_stream(
        write_mcap(tmp_path / "a.mcap", {"/camera": [as_message(frame) for frame in frames]}), "stylus", "pointer"
    )
    assert (len(stream), stream.n_missing) == (16, 4)
    np.testing.assert_allclose(stream.poses[0], frames[0].tools["stylus"].T_tracker_tool.matrix, atol=1e-6)


def test_metres_are_taken_where_they_are_stated(tmp_path: Path):
    made = pivoted(30)
    for file in write_folder(tmp_path / "m", made).iterdir():
        matrix = np.loadtxt(file)
        matrix[:3, 3] /= 1000.0
        np.savetxt(file, matrix, fmt="%.9f")
    np.testing.assert_allclose(read_stream(tmp_path / "m", "stylus", unit="m").poses, made.poses, atol=1e-5)
    with pytest.raises(SurgNavError, match="which are metres"):
        read_stream(tmp_path / "m", "stylus")


def test_the_checksum_is_of_all_files(tmp_path: Path):
    folder = write_folder(tmp_path / "poses", pivoted(5))
    before = input_of(folder)
    next(folder.iterdir()).write_text("another")
    assert input_of(folder).sha256 != before.sha256
    assert before.name == "poses"


def _lines(change: Callable[[list[str]], list[str]]) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        path = write_csv(folder / "a.csv", pivoted(30))
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([head, *change(rows)]) + "\n")
        return path

    return made


def _with_times(times: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], Path]:
    def change(rows: list[str]) -> list[str]:
        split = [row.split(",") for row in rows]
        stamps = times(np.array([float(row[1]) for row in split]))
        return [",".join([row[0], f"{time:.6f}", *row[2:]]) for row, time in zip(split, stamps, strict=True)]

    return _lines(change)


def _in_metres(rows: list[str]) -> list[str]:
    split = [row.split(",") for row in rows]
    return [",".join([*row[:4], *(str(float(each) / 1000.0) for each in row[4:7]), *row[7:]]) for row in split]


def _folder(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        for file in write_folder(folder / "poses", pivoted(30)).iterdir():
            np.savetxt(file, change(np.loadtxt(file)), fmt="%.6f")
        return folder / "poses"

    return made


def _cut(folder: Path) -> Path:
    path = write_csv(folder / "a.csv", pivoted(30))
    path.write_bytes(path.read_bytes()[:-40])
    return path


def _damaged_mcap(folder: Path) -> Path:
    path = write_mcap(folder / "a.mcap", {"/camera": [as_message(frame) for frame in made_frames(20)]})
    whole = path.read_bytes()
    path.write_bytes(whole[:800] + bytes([whole[800] ^ 1]) + whole[801:])
    return path


def _hidden(folder: Path) -> Path:
    return write_csv(folder / "a.csv", pivoted(5), hidden=(0, 1, 2, 3, 4))


def _empty_folder(folder: Path) -> Path:
    (folder / "poses").mkdir()
    return folder / "poses"


def _numbered(folder: Path) -> Path:
    return write_folder(folder / "poses", pivoted(5), named_by_time=False)


def _empty_file(folder: Path) -> Path:
    path = _numbered(folder)
    (path / "pose_3.txt").write_text("")
    return path


FAULTS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "not there": (lambda folder: folder / "away.csv", "which is not there"),
    "an empty sequence": (_lines(lambda rows: []), "without|no tool"),
    "never seen": (_hidden, "without a pose of the tool, but 5 frames in which it was lost"),
    "cut in a row": (_cut, "a.csv with line 31"),
    "damaged MCAP": (_damaged_mcap, "which is damaged"),
    "mixed units": (_lines(lambda rows: [*rows[:20], *_in_metres(rows[20:])]), "mixed units: 10 of 30 poses"),
    "metres": (_lines(_in_metres), "which are metres"),
    "reversed timestamps": (_with_times(lambda times: times[::-1]), "times run backwards"),
    "the same time twice": (_with_times(lambda times: np.floor(times * 10.0) / 10.0), "the same time twice"),
    "mirrored": (_folder(lambda pose: np.diag([-1.0, 1.0, 1.0, 1.0]) @ pose), "a mirrored rotation (determinant -1)"),
    "transposed": (_folder(lambda pose: pose.T), "transpose the matrices"),
    "identity for lost ones": (_folder(lambda pose: np.eye(4)), "leave out these frames"),
    "no files": (_empty_folder, "without text files"),
    "files without times": (_numbered, "whose names are no times"),
    "three rows": (_folder(lambda pose: pose[:3]), "does not hold 16 numbers"),
    "another format": (lambda folder: write_csv(folder / "a.txt", pivoted(5)), "whose ending says no format"),
    "another tool": (
        _lines(lambda rows: [row.replace("stylus", "probe") for row in rows]),
        "without the tool 'stylus'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_a_sentence(tmp_path: Path, fault: str):
    make, said = FAULTS[fault]
    with pytest.raises(SurgNavError, match=r"(?s)^Got .*; expected .*. Fix: .*") as refused:
        read_stream(make(tmp_path), "stylus")
    assert any(word in str(refused.value) for word in said.split("|")) or pytest.fail(str(refused.value))


def test_a_cut_text_file_is_named(tmp_path: Path):
    with pytest.raises(SurgNavError, match=r"poses/pose_3.txt, which does not hold 16 numbers"):
        read_stream(_empty_file(tmp_path), "stylus", rate_hz=20.0)
