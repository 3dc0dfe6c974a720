"""The case is watched: what it vouches for is seen, and what cannot be seen is vouched for by nobody."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from case.case import Case
from case.errors import CaseError
from geometry.clock import ManualClock
from navigation.clock import NS_PER_S
from navigation.live.offers import case_watch
from navigation.live.offers.case_view import CaseView, view_of
from navigation.live.offers.case_watch import CaseWatch
from navigation.live.offers.fingerprints import Fingerprints
from registration.record.in_force import put_in_force
from tests.registration.record.harness import GLB, MADE_BY, ORGAN, TIME, case, made  # noqa: F401 - a fixture
from tests.registration.shapes import organ

PATIENCE_S = 60.0


class Watch:
    """A watch whose looks are real, and whose time is the test's."""

    def __init__(self, root: Path) -> None:
        self.clock = ManualClock()
        self.watch = CaseWatch(root, self.clock, time.time_ns)
        self.first = self.watch.look()

    def next(self, after_s: float = 0.5, decided: int = 0) -> CaseView:
        """The next view, of a look that begins `after_s` from now."""
        self.clock.advance_ns(round(after_s * NS_PER_S))
        deadline_s = time.monotonic() + PATIENCE_S
        while (view := self.watch.poll(decided)) is None:
            assert time.monotonic() < deadline_s
            time.sleep(0.001)
        return view


def standing(view: CaseView) -> tuple[str, str]:
    [organ_now] = view.surfaces
    return organ_now.state, organ_now.why_not


# ------------------------------------------------------------------------------------------------------------- surfaces
def test_what_the_case_says_of_a_surface_and_why_it_may_not_be_shown(case: Case) -> None:  # noqa: F811
    assert standing(view_of(case)) == ("suggested", "nobody has approved it")
    case.decide("organ", "approved", "Dr Test", TIME)
    assert standing(view_of(case)) == ("approved", "")
    [organ_now] = view_of(case).surfaces
    assert (organ_now.person, organ_now.may_be_offered(False)) == ("Dr Test", True)
    case.decide("organ", "rejected", "Dr Other", TIME)
    assert standing(view_of(case)) == ("rejected", "rejected by Dr Other")
    case.decide("organ", "edited", "Dr Test", TIME)
    path = case.root / GLB
    content = path.read_bytes()
    path.write_bytes(content[:200])
    assert standing(view_of(case))[1] == "its file is not the one that was made: it was altered"
    path.unlink()
    assert standing(view_of(case))[1] == "its file is missing"
    path.mkdir()
    assert standing(view_of(case))[1] == "its file cannot be read"
    path.rmdir()
    path.write_bytes(content)
    assert standing(view_of(case)) == ("edited", "")
    case.add_surface(organ(subdivisions=3), MADE_BY, made_from=())
    assert standing(view_of(case)) == ("suggested", "what was decided was another version of it")


def test_a_surface_whose_ct_or_labels_changed_may_not_be_shown(case: Case) -> None:  # noqa: F811
    case.write_json("labels", "labels", {"version": 1}, MADE_BY)
    case.add_surface(ORGAN, MADE_BY, made_from=("labels/labels.json",))
    case.decide("organ", "approved", "Dr Test", TIME)
    assert standing(view_of(case)) == ("approved", "")
    case.write_json("labels", "labels", {"version": 2}, MADE_BY)
    assert standing(view_of(case)) == ("approved", "labels/labels.json changed since")
    assert not view_of(case).surfaces[0].may_be_offered(True)


def test_in_a_research_session_a_suggestion_may_be_shown_and_a_rejected_one_never(case: Case) -> None:  # noqa: F811
    assert view_of(case).surfaces[0].may_be_offered(True)
    assert not view_of(case).surfaces[0].may_be_offered(False)
    case.decide("organ", "rejected", "Dr Test", TIME)
    assert not view_of(case).surfaces[0].may_be_offered(True)


def test_a_registration_is_in_the_view_or_the_reason_why_not(case: Case) -> None:  # noqa: F811
    assert view_of(case).problem == "no registration of this case is in force"
    attempt, _ = made(case)
    put_in_force(case, attempt, "Dr Test", TIME, consent=False)
    view = view_of(case)
    assert (view.registration.registration_id, view.problem) == ("r-0001", "")
    case.decide("organ", "rejected", "Dr Other", TIME)
    view = view_of(case)
    assert view.registration is None
    assert "'organ' that it rests on was rejected by Dr Other" in view.problem


# -------------------------------------------------------------------------------------------------- a case out of reach
@pytest.mark.parametrize("how", ["away", "truncated", "empty", "garbage", "a folder", "of another version"])
def test_what_the_case_said_last_holds_for_three_seconds_and_then_nothing(case: Case, how: str) -> None:  # noqa: F811
    case.decide("organ", "approved", "Dr Test", TIME)
    watch = Watch(case.root)
    assert watch.next(60.0) == watch.first  # from the last look, not from the first
    manifest = case.root / "case.json"
    content = manifest.read_bytes()
    manifest.unlink()
    if how == "a folder":
        manifest.mkdir()
    elif how != "away":
        damaged = {
            "truncated": content[:500],
            "empty": b"",
            "garbage": b"\xff\x00" * 99,
            "of another version": content.replace(b'"schema_version": 1', b'"schema_version": 9'),
        }
        manifest.write_bytes(damaged[how])
    for after_s in (0.5, 1.0, 1.0):
        view = watch.next(after_s)
        assert standing(view) == ("approved", "")
        assert view.trouble.endswith("what the case said last holds for 3 s")
    view = watch.next(1.0)
    assert (view.surfaces, view.registration, view.problem) == ((), None, "the case cannot be read")
    assert view.trouble
    if how == "a folder":
        manifest.rmdir()
    manifest.write_bytes(content)
    assert watch.next() == watch.first


def test_a_file_that_goes_while_the_case_cannot_be_read_is_seen_when_it_can(case: Case) -> None:  # noqa: F811
    case.decide("organ", "approved", "Dr Test", TIME)
    watch = Watch(case.root)
    (case.root / "case.json").rename(case.root / "away.json")
    (case.root / GLB).unlink()
    watch.next()
    (case.root / "away.json").rename(case.root / "case.json")
    assert standing(watch.next()) == ("approved", "its file is missing")


def test_another_case_in_the_same_folder_counts_for_nothing_at_once(case: Case, tmp_path: Path) -> None:  # noqa: F811
    watch = Watch(case.root)
    case.root.rename(tmp_path / "moved")
    with Case.create(case.root, "somebody else", TIME) as other:
        other.add_surface(ORGAN, MADE_BY, made_from=())
    view = watch.next()
    assert (view.surfaces, view.registration) == ((), None)
    assert "another case ('somebody else') is in this folder now" in view.trouble


def test_a_case_that_is_not_there_from_the_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no case at"):
        Watch(tmp_path)


def test_a_look_that_began_before_a_decision_is_not_believed(case: Case) -> None:  # noqa: F811
    watch = Watch(case.root)
    watch.clock.advance_ns(NS_PER_S)
    assert watch.watch.poll(decided=0) is None  # begins
    deadline_s = time.monotonic() + PATIENCE_S
    while watch.watch._look.is_alive():
        assert time.monotonic() < deadline_s
    case.decide("organ", "approved", "Dr Test", TIME)
    assert watch.watch.poll(decided=1) is None
    assert standing(watch.next(0.0, decided=1)) == ("approved", "")


def test_a_folder_that_does_not_answer_is_given_up_and_comes_back(
    case: Case,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a network drive does that is gone: every question of it hangs."""
    case.decide("organ", "approved", "Dr Test", TIME)
    watch = Watch(case.root)
    answers = threading.Event()
    monkeypatch.setattr(case_watch, "view_of", lambda case: (answers.wait(PATIENCE_S), view_of(case))[1])
    watch.clock.advance_ns(NS_PER_S)
    assert watch.watch.poll() is None
    watch.clock.advance_ns(14 * NS_PER_S)
    assert watch.watch.poll() is None
    view = watch.next(1.0)
    assert (view.surfaces, view.trouble) == ((), "the case's folder has not answered for 15 s")
    assert watch.watch.poll() is None  # said once
    answers.set()
    assert watch.next() == watch.first


def test_a_manifest_that_makes_our_own_code_stumble_is_a_case_that_cannot_be_read(case: Case) -> None:  # noqa: F811
    watch = Watch(case.root)
    manifest = case.root / "case.json"
    manifest.write_text(manifest.read_text().replace('"structure": "organ"', '"another": "organ"'))
    assert "KeyError" in watch.next(5.0).trouble


# -------------------------------------------------------------------------------------------------------- fingerprints
def test_a_file_is_read_again_only_where_it_may_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, reads = tmp_path / "file", []
    path.write_bytes(b"first")
    sha256_of = "navigation.live.offers.fingerprints.file_sha256"
    monkeypatch.setattr(sha256_of, lambda path: reads.append(path) or path.read_bytes().hex())
    now_ns = time.time_ns()
    fingerprints = Fingerprints(lambda: now_ns)
    for _ in range(3):
        assert fingerprints.of(path) == b"first".hex()
    assert len(reads) == 3  # written a moment ago: another change may bear the same time
    now_ns += 10 * NS_PER_S
    for _ in range(3):
        assert fingerprints.of(path) == b"first".hex()
    assert len(reads) == 4
    status = path.stat()
    path.write_bytes(b"other")  # as long as before
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # and set back to before
    assert fingerprints.of(path) == b"other".hex()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        fingerprints.of(path)


def test_a_file_that_is_being_written_has_no_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"first")

    def slowly(path: Path) -> str:
        path.write_bytes(b"second, while the first was read")
        return "first"

    monkeypatch.setattr("navigation.live.offers.fingerprints.file_sha256", slowly)
    with pytest.raises(OSError, match="changed while it was read"):
        Fingerprints(time.time_ns).of(path)
