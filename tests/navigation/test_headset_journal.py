"""The event log's promise: each line is on the disk before the next step."""

from __future__ import annotations

import json
import os
from pathlib import Path

from navigation.headset.journal import EventJournal
from unity_bridge.event_desk import Sender
from unity_bridge.event_window import Outcome, answer_of
from unity_bridge.messages import ClientEvent

TIME = "2026-11-26T08:00:00+01:00"
SENDER = Sender("headset", "")


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
    event = ClientEvent(stream="s-1", number=1, kind="select_target", first_session="5e55")
    journal.begin(event, SENDER, TIME, {})
    assert on_disk[-1][-1]["begun"]["number"] == 1
    journal.end(answer_of("s-1", 1, Outcome("done")), SENDER, TIME)
    assert on_disk[-1][-1]["answered"]["note"] == "done"
    assert len(on_disk) == 3  # the start of the session, the event, its answer
    journal.close()
