"""What the operating system refuses is told in words by every command, and nothing half-written stays."""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from case.case import Case
from navigation.cli import app
from tests.reconstruction.bad_input import snapshot
from tests.reconstruction.labels.label_files import boxes, ct_dicom, write_seg

WORDS = {
    errno.ENOSPC: "a disk that is full",
    errno.EROFS: "a disk that is read-only",
    errno.EACCES: "no permission",
    errno.EIO: "input/output error",
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small CT and labels for it."""
    folder = tmp_path_factory.mktemp("inputs")
    return ct_dicom(folder / "ct"), write_seg(folder / "labels.dcm", boxes())


@pytest.fixture
def case(tmp_path: Path, inputs: tuple[Path, Path]) -> Path:
    made = CliRunner().invoke(app, reconstruct(inputs, tmp_path / "case"))
    assert made.exit_code == 0, made.output
    return tmp_path / "case"


def reconstruct(inputs: tuple[Path, Path], case: Path) -> list[str]:
    return ["reconstruct", str(inputs[0]), "--labels", str(inputs[1]), "--case", str(case)]


def refuse_writing(monkeypatch: pytest.MonkeyPatch, folder: Path, number: int) -> None:
    """The system refuses whatever would change something under `folder`, as a read-only or full disk does."""

    def refuse_if_under(path: object) -> None:
        if isinstance(path, str | os.PathLike) and Path(path).is_relative_to(folder):
            raise OSError(number, os.strerror(number), str(path))

    def wrapped(function: Callable[..., object], writes: Callable[..., bool]) -> Callable[..., object]:
        def call(path: object, *arguments: object, **named: object) -> object:
            if writes(*arguments, **named):
                refuse_if_under(path)
            return function(path, *arguments, **named)

        return call

    def opened_to_write(mode: object = "r", *_: object, **named: object) -> bool:
        return bool(set(str(named.get("mode", mode))) & set("wax+"))

    def flags_to_write(flags: int, *_: object, **__: object) -> bool:
        return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))

    for name in ("mkdir", "rename", "replace", "unlink", "rmdir"):
        monkeypatch.setattr(os, name, wrapped(getattr(os, name), lambda *_, **__: True))
    monkeypatch.setattr(os, "open", wrapped(os.open, flags_to_write))
    for module in (io, builtins):
        monkeypatch.setattr(module, "open", wrapped(module.open, opened_to_write))


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes, as if the disk were full from there on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def said(arguments: list[str], words: str) -> str:
    """What the command prints where it fails as it should."""
    run = CliRunner().invoke(app, arguments)
    text = " ".join(run.stderr.split())
    assert run.exit_code == 1, run.output
    assert isinstance(run.exception, SystemExit), run.exception  # no traceback
    assert words in text
    assert "expected: " in text
    assert "fix: " in text
    return text


@pytest.mark.parametrize("number", WORDS, ids=errno.errorcode.get)
@pytest.mark.parametrize(
    "command",
    [
        ["inspect", "{ct}", "--json", "{to}/found.json"],
        ["inspect", "{ct}", "--json", "{to}/missing/found.json"],
        ["reconstruct", "{ct}", "--labels", "{labels}", "--case", "{to}/case"],
        ["reconstruct", "{ct}", "--case", "{to}/missing/case"],
        ["markers", "{ct}", "--json", "{to}/found.json"],
        ["doctor", "--json", "{to}/found.json"],
        ["demo", "--offline", "--out", "{to}/demo", "--json", "{to}/demo.json"],
        ["demo", "--offline", "--out", "{to}/demo"],
    ],
    ids=lambda command: " ".join(command[:3]),
)
def test_a_place_that_cannot_be_written_is_told_in_words(
    tmp_path: Path, inputs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, command: list[str], number: int
) -> None:
    (target := tmp_path / "target").mkdir()
    refuse_writing(monkeypatch, target, number)
    places = {"ct": inputs[0], "labels": inputs[1], "to": target}
    text = said([part.format(**places) for part in command], WORDS[number])
    assert str(target) in text
    assert "partial" not in text
    assert not list(target.iterdir())


@pytest.mark.parametrize("number", WORDS, ids=errno.errorcode.get)
def test_a_decision_that_cannot_be_written_leaves_the_case_as_it_was(
    case: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    before = snapshot(case)
    refuse_writing(monkeypatch, case, number)
    decision = ["--structure", "segment_n_1", "--decision", "rejected", "--person", "Dr Test"]
    text = said(["review", str(case), *decision], WORDS[number])
    assert f"{case}/case.json" in text  # not the name under which it was written aside
    assert snapshot(case) == before


@pytest.mark.parametrize("size", [0, 100, 1_000, 4_000, 20_000])
def test_a_disk_that_fills_up_while_a_case_is_made_leaves_nothing(
    tmp_path: Path, inputs: tuple[Path, Path], size: int
) -> None:
    """Whichever file it is that finds no room any more: the manifest, labels, their names, surfaces."""
    with largest_file(size):
        text = said(reconstruct(inputs, tmp_path / "cases" / "new"), "file larger than is allowed")
    assert str(tmp_path / "cases" / "new") in text
    assert not list((tmp_path / "cases").iterdir())


def test_numbers_that_no_longer_fit_leave_the_file_that_was_there(tmp_path: Path, inputs: tuple[Path, Path]) -> None:
    (target := tmp_path / "found.json").write_text("before")
    with largest_file(100):
        said(["inspect", str(inputs[0]), "--json", str(target)], "file larger than is allowed")
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["found.json"]


def test_a_folder_for_numbers_is_made_where_it_is_missing(tmp_path: Path, inputs: tuple[Path, Path]) -> None:
    target = tmp_path / "not" / "yet" / "found.json"
    run = CliRunner().invoke(app, ["inspect", str(inputs[0]), "--json", str(target)])
    assert run.exit_code == 0, run.output
    assert json.loads(target.read_text())["schema"] == "surgnav.inspection"
    assert [path.name for path in target.parent.iterdir()] == ["found.json"]


def test_a_folder_in_place_of_a_file_and_a_file_in_place_of_a_folder(tmp_path: Path, inputs: tuple[Path, Path]) -> None:
    (tmp_path / "file").write_text("")
    said(["inspect", str(inputs[0]), "--json", str(tmp_path)], "a folder where a file should be")
    said(["inspect", str(inputs[0]), "--json", str(tmp_path / "file" / "a.json")], "a file where a folder should be")
    said(reconstruct(inputs, tmp_path / "file" / "case"), "a file where a folder should be")


def test_numbers_may_go_to_a_device_which_stays_one(inputs: tuple[Path, Path]) -> None:
    assert CliRunner().invoke(app, ["inspect", str(inputs[0]), "--json", "/dev/null"]).exit_code == 0
    assert Path("/dev/null").is_char_device()
    said(["inspect", str(inputs[0]), "--json", "/dev/full"], "a disk that is full")
    assert Path("/dev/full").is_char_device()


def test_a_manifest_that_may_not_be_read_is_not_called_missing(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    text = said(["review", str(case)], "cannot be read (Permission denied)")
    assert "no case" not in text


def test_an_existing_case_is_answered_with_words_of_the_command_line(case: Path, inputs: tuple[Path, Path]) -> None:
    text = said(reconstruct(inputs, case), "already")
    assert "--case" in text
    assert "surgnav review" in text
    assert "Case." not in text  # that would be Python
    assert Case.open(case).structures()


@pytest.mark.parametrize("command", [["reconstruct"], ["review"]])
def test_what_a_killed_run_left_is_cleared_by_the_next_command_which_says_so(
    case: Path, inputs: tuple[Path, Path], command: list[str]
) -> None:
    left = case.with_name(".partial-0123abcd-other")
    shutil.copytree(case, left)
    arguments = reconstruct(inputs, case.with_name("new")) if command == ["reconstruct"] else [*command, str(case)]
    run = CliRunner().invoke(app, arguments)
    assert run.exit_code == 0, run.output
    assert "cleared .partial-0123abcd-other, which a killed run left half made" in run.output
    assert not left.exists()
    assert Case.open(case).structures()
