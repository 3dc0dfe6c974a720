"""All or nothing on the disk, seen by a reader at any moment; one writer at a time; what killed runs leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from case.atomic import atomic_path, atomic_write, held
from case.case import Case, MadeBy
from case.errors import CaseError
from case.leftovers import ABANDONED_AFTER_S, clear_leftovers

TIME = "2026-01-02T03:04:05+00:00"
MADE_BY = MadeBy(program="test", version="1", time=TIME)


# ------------------------------------------------------------------------------------------------------------- renaming
def test_what_was_there_is_replaced_by_another_file_and_never_written_into(tmp_path: Path) -> None:
    """A reader that has the old file open keeps it whole; a copy onto it would change it under his hands."""
    path = tmp_path / "a"
    atomic_write(path, b"old" * 100)
    inode = path.stat().st_ino
    with path.open("rb") as reader:
        atomic_write(path, b"new")
        assert reader.read() == b"old" * 100
    assert path.stat().st_ino != inode
    assert path.read_bytes() == b"new"


def test_the_file_that_appears_is_the_one_that_was_written_aside(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a") as temporary:
        temporary.write_bytes(b"x")
        written = temporary.stat().st_ino
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").stat().st_ino == written


def test_a_reader_never_sees_a_part(tmp_path: Path) -> None:
    """8 MB of ones, or of twos; a writer that copies shows an empty or a short file in between."""
    path, size = tmp_path / "a", 8_000_000
    contents = [bytes([value]) * size for value in (1, 2)]
    atomic_write(path, contents[0])
    done = threading.Event()

    def write() -> None:
        for turn in range(20):
            atomic_write(path, contents[turn % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        content = path.read_bytes()
        seen.add((len(content), content[:1], content[-1:]))
    writer.join()
    assert seen <= {(size, b"\x01", b"\x01"), (size, b"\x02", b"\x02")}


# --------------------------------------------------------------------------------------------------------------- fsync
def test_content_is_on_the_disk_before_it_is_renamed_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the first, a power cut leaves an empty file under the name; without the second, the old one."""
    happened: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor: int) -> None:
        at = Path(f"/proc/self/fd/{descriptor}").readlink()
        size = "" if at.is_dir() else f" of {at.stat().st_size}"
        happened.append(("fsync", "folder" if at == tmp_path else f"aside{size}"))
        fsync(descriptor)

    def note_replace(source: object, target: object) -> None:
        happened.append(("rename", Path(str(target)).name))
        replace(source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    atomic_write(tmp_path / "a", b"four")
    assert happened == [("fsync", "aside of 4"), ("rename", "a"), ("fsync", "folder")]


def test_a_new_case_is_on_the_disk_when_it_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[str] = set()
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.add(Path(f"/proc/self/fd/{descriptor}").readlink().name.split("-")[-1])
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    with Case.create(tmp_path / "case", "x", TIME) as case:
        case.write_json("notes", "one", {"a": 1}, MADE_BY)
    assert {"case.json", "one.json", "notes", tmp_path.name.split("-")[-1]} <= synced


# ---------------------------------------------------------------------------------------------------------- two writers
@pytest.mark.parametrize(
    "write",
    [
        lambda case: case.save(case.manifest),  # as every decision and every registration does
        lambda case: case.accept_edit("notes/one.json", MADE_BY),
    ],
    ids=["manifest", "edit"],
)
def test_a_second_writer_is_told_whatever_he_writes(tmp_path: Path, write: Callable[[Case], object]) -> None:
    with Case.create(tmp_path / "case", "x", TIME) as case:
        case.write_json("notes", "one", {"a": 1}, MADE_BY)
    mine, theirs = Case.open(tmp_path / "case"), Case.open(tmp_path / "case")
    theirs.write_json("notes", "theirs", {}, MADE_BY)
    manifest = (tmp_path / "case" / "case.json").read_bytes()
    with pytest.raises(CaseError, match="somebody else"):
        write(mine)
    assert (tmp_path / "case" / "case.json").read_bytes() == manifest


def test_of_writers_at_the_same_time_nothing_is_lost(tmp_path: Path) -> None:
    """Each tries until it gets through; a writer that looks, and then writes over another's, would lose some."""
    with Case.create(tmp_path / "case", "x", TIME):
        pass

    def write(writer: int) -> None:
        for number in range(10):
            while True:
                try:
                    Case.open(tmp_path / "case").write_json("notes", f"n{writer}_{number}", {}, MADE_BY)
                    break
                except CaseError:
                    continue

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    case = Case.open(tmp_path / "case")
    assert {a.id for a in case.artefacts} == {f"notes/n{w}_{n}.json" for w in range(4) for n in range(10)}
    assert case.verify() == {}


def test_who_does_not_wait_is_told_that_a_folder_is_held(tmp_path: Path) -> None:
    with held(tmp_path) as mine, held(tmp_path, wait=False) as theirs:
        assert (mine, theirs) == (True, False)
    with held(tmp_path, wait=False) as again:
        assert again


# ------------------------------------------------------------------------------------------------------------ leftovers
COMPOSE = """
import sys, time
from case.case import Case, MadeBy
with Case.create(sys.argv[1], "x", "2026-01-02T03:04:05+00:00") as case:
    case.write_json("notes", "one", {"a": 1}, MadeBy(program="t", version="1", time="2026-01-02T03:04:05+00:00"))
    print("composing", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def composing(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process in the middle of making a case."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMPOSE, str(tmp_path / "case")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "composing\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_what_a_killed_run_left_is_cleared_and_a_living_one_is_left_alone(
    tmp_path: Path, composing: subprocess.Popen[str]
) -> None:
    (partial,) = tmp_path.iterdir()
    assert clear_leftovers(tmp_path / "case", time.time()).cleared == ()
    assert (partial / "notes" / "one.json").is_file()
    composing.send_signal(signal.SIGKILL)
    composing.wait()
    assert partial.is_dir()  # kill -9 leaves it
    found = clear_leftovers(tmp_path / "case", time.time())
    assert (found.cleared, found.kept) == ((partial.name,), ())
    assert not list(tmp_path.iterdir())


def test_what_is_not_ours_is_never_cleared(tmp_path: Path) -> None:
    (tmp_path / ".partial-photos").mkdir()
    (tmp_path / ".partial-0123abcd-case").mkdir()
    (tmp_path / ".partial-0123abcd-case" / "holiday.jpg").write_bytes(b"mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".partial-0123abcd-link").symlink_to(tmp_path / "elsewhere")
    found = clear_leftovers(tmp_path / "case", time.time())
    assert found.cleared == ()
    (kept,) = found.kept
    assert kept.startswith(".partial-0123abcd-case: holds 'holiday.jpg'")
    assert len(list(tmp_path.iterdir())) == 4
    assert (tmp_path / ".partial-0123abcd-case" / "holiday.jpg").exists()


def test_a_file_that_never_was_finished_is_cleared_once_nobody_can_be_at_it(tmp_path: Path) -> None:
    with Case.create(tmp_path / "case", "x", TIME) as case:
        case.write_json("notes", "one", {"a": 1}, MADE_BY)
    unfinished = tmp_path / "case" / "notes" / ".partial-0123abcd-two.json"
    unfinished.write_text("{")
    assert clear_leftovers(tmp_path / "case", time.time()).cleared == ()
    later = time.time() + ABANDONED_AFTER_S + 1
    assert clear_leftovers(tmp_path / "case", later).cleared == (unfinished.name,)
    assert not unfinished.exists()
    assert Case.open(tmp_path / "case").verify() == {}
