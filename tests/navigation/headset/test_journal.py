"""The log of what was done at headsets: nothing is done twice, no line is lost, and a full disk ends nothing."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from case.case import Case
from navigation.errors import EventLogError
from navigation.headset.journal import EventJournal
from tests.navigation.headset.harness import SENDER, STREAM, serving
from tests.registration.record.harness import TIME, case  # noqa: F401 - a fixture
from unity_bridge.control.event_window import Outcome, answer_of, content_of
from unity_bridge.errors import EventRefusedError
from unity_bridge.wire.generated.constants import EventOutcome
from unity_bridge.wire.messages import ClientEvent


def event(number: int) -> ClientEvent:
    return ClientEvent(stream=STREAM, number=number, kind="select_target", first_session="00" * 16, name="x")


def test_each_line_is_on_the_disk_before_the_next_step(tmp_path: Path, monkeypatch) -> None:
    on_disk: list[list[dict]] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        """What a power cut after this moment would leave."""
        sync(descriptor)
        on_disk.append([json.loads(line) for line in journal_file.read_text("utf-8").splitlines()])

    journal_file = tmp_path / "headset" / "events.jsonl"
    monkeypatch.setattr(os, "fsync", noted)
    journal = EventJournal(tmp_path, "5e55", TIME)
    journal.begin(event(1), SENDER, TIME, {})
    assert on_disk[-1][-1]["begun"]["number"] == 1
    journal.end(answer_of(STREAM, 1, Outcome("done")), SENDER, TIME)
    assert on_disk[-1][-1]["answered"]["note"] == "done"
    assert len(on_disk) == 3  # the start of the session, the event, its answer
    journal.close()


def test_what_was_begun_and_not_answered_is_uncertain(tmp_path: Path) -> None:
    journal = EventJournal(tmp_path, "s1", TIME)
    journal.begin(event(1), SENDER, TIME, {})
    journal.end(answer_of(STREAM, 1, Outcome("done")), SENDER, TIME)
    journal.begin(event(2), SENDER, TIME, {})
    journal.close()
    with journal.path.open("ab") as file:
        file.write(b'{"begun": {"stream": "cut in the mid')
    back = EventJournal(tmp_path, "s2", TIME)
    assert back.sessions == {"s1", "s2"}
    first, second = back.earlier("", STREAM)
    assert (first.answer.outcome, first.answer.note) == ("accepted", "done")
    assert (second.answer.outcome, second.answer.code) == ("refused", "UncertainEvent")
    assert [first.content, second.content] == [content_of(event(1)), content_of(event(2))]
    assert back.earlier("another key", STREAM) == ()
    back.close()
    back.close()
    third = EventJournal(tmp_path, "s3", TIME)  # the line that was cut is alone on its line
    assert third.sessions == {"s1", "s2", "s3"}
    third.close()


def test_what_an_event_was_is_known_after_a_restart(tmp_path: Path) -> None:
    """To the last bit: an event that comes again is told from another one under its number."""
    touch = replace(
        event(7),
        kind="landmark_touched",
        position_m=(0.1, -1 / 3, 1e-300),
        happened_ns=2**62 + 1,
        sha256="0c" * 32,
        person="Dr. Müller",
    )
    journal = EventJournal(tmp_path, "s1", TIME)
    journal.begin(touch, SENDER, TIME, {})
    journal.close()
    back = EventJournal(tmp_path, "s2", TIME)
    assert [known.content for known in back.earlier("", STREAM)] == [content_of(touch)]
    back.close()


def test_a_log_of_strange_lines_answers_nothing(tmp_path: Path) -> None:
    (tmp_path / "headset").mkdir()
    strange = ['{"begun": 7}', "[]", "7", '{"answered": {"outcome": "perhaps"}}', '{"begun": {"stream": "s"}}', "\x00"]
    (tmp_path / "headset" / "events.jsonl").write_text("\n".join(strange) + "\n", "utf-8")
    journal = EventJournal(tmp_path, "s1", TIME)
    assert journal.sessions == {"s1"}
    journal.close()


def test_the_log_in_memory_is_bounded(tmp_path: Path) -> None:
    journal = EventJournal(tmp_path, "s1", TIME)
    for number in range(1, 400):
        journal._remember("", answer_of(STREAM, number, Outcome()))
    for stream in range(5000):
        journal._remember("", answer_of(str(stream), 1, Outcome()))
    assert len(journal._answers) == 4096
    for number in range(1, 400):
        journal._remember("", answer_of(STREAM, number, Outcome()))
    assert [known.answer.number for known in journal.earlier("", STREAM)] == list(range(144, 400))
    journal.close()


def test_a_log_that_cannot_be_written_is_said_and_the_service_streams_all_the_same(case: Case) -> None:  # noqa: F811
    (case.root / "headset").write_text("no folder")
    with pytest.raises(EventLogError, match="File exists"):
        EventJournal(case.root, "s1", TIME)
    with serving(case) as running:
        assert "File exists" in running.service.events_problem
        refused = running.send("request_registration", reason="x")
        assert refused.outcome is EventOutcome.REFUSED
        running.until(lambda: running.client.newest.sequence > 10)


def test_a_disk_that_fills_up_refuses_events_and_loses_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk takes what fits, without an error; the line that was cut must not spoil the next."""
    journal = EventJournal(tmp_path, "s1", TIME)
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, content: write(file, content[:20]))
    with pytest.raises(EventRefusedError, match="No space left"):
        journal.begin(event(1), SENDER, TIME, {})
    monkeypatch.setattr(os, "write", write)
    journal.begin(event(2), SENDER, TIME, {})
    journal.end(answer_of(STREAM, 2, Outcome("done")), SENDER, TIME)
    journal.close()
    back = EventJournal(tmp_path, "s2", TIME)
    assert [known.answer.note for known in back.earlier("", STREAM)] == ["done"]
    assert back.sessions == {"s1", "s2"}
    back.close()


def test_the_operator_is_told_that_events_are_refused_for_the_disk_and_until_when(
    case: Case,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(case) as running:
        assert running.service.events_problem == ""
        write = os.write
        monkeypatch.setattr(os, "write", lambda file, content: 0)
        refused = running.send("request_registration", reason="x")
        assert (refused.outcome, refused.allowed) == (EventOutcome.REFUSED, "a disk with room")
        assert running.service.events_problem == "a failure to write the event log: No space left on device"
        monkeypatch.setattr(os, "write", write)
        assert running.send("request_registration", reason="x").outcome is EventOutcome.ACCEPTED
        assert running.service.events_problem == ""


def test_a_disk_that_is_full_from_the_start_is_a_named_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda file, content: 0)
    with pytest.raises(EventLogError, match="No space left"):
        EventJournal(tmp_path, "s1", TIME)
    monkeypatch.undo()
    EventJournal(tmp_path, "s1", TIME).close()  # and nobody holds the lock


def test_an_event_that_the_disk_fails_under_is_refused_and_ends_nothing(
    case: Case,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreadable(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with serving(case) as running:
        monkeypatch.setattr("navigation.headset.case_work.read_planned", unreadable)
        refused = running.send("select_target", name="tumour")
        assert refused.outcome is EventOutcome.REFUSED
        assert refused.came == "a failure of the case's folder: Permission denied"
        monkeypatch.undo()
        assert running.send("select_target", name="tumour").outcome is EventOutcome.ACCEPTED


def test_a_log_shown_at_a_terminal_moves_no_cursor(tmp_path: Path) -> None:
    journal = EventJournal(tmp_path, "s1", TIME)
    nasty = "a\x1b[2J\x9b2J\u202e\u2028\x7f 手术"
    journal.begin(replace(event(1), name=nasty), SENDER, TIME, {})
    journal.close()
    content = journal.path.read_text("utf-8")
    assert not set(content) & set("\x1b\x9b\u202e\u2028\x7f")
    assert "手术" in content
    assert json.loads(content.splitlines()[-1])["begun"]["name"] == nasty
