"""The log says what happened, and never to whom: whatever is written, no identifying word is in the file."""

from __future__ import annotations

import json
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from navigation.errors import EventLogError
from navigation.live.standing import log
from navigation.live.standing.log import Scrubber, StandingLog
from navigation.live.standing.standing import Standing
from navigation.processes.child import ChildState
from tests.navigation.live.standing.standings import MS, standing, ultrasound
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.generated.constants import SelfTestState

NOON = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)


def written(path: Path, *standings: Standing, words: tuple[str, ...] = ()) -> list[dict]:
    with closing(StandingLog(path, Scrubber(words), lambda: NOON)) as running:
        for each in standings:
            running.note(each)
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_only_what_changed_is_written(tmp_path: Path):
    first = standing()
    lost = replace(
        first, now_ns=first.now_ns + MS, tools={**first.tools, "stylus": (Validity.STALE, "a frame of 0.2 s")}
    )
    restarted = replace(
        lost, processes=(ChildState("recorder", True, 3, "killed by signal 9", 4243), lost.processes[1])
    )
    later = replace(restarted, now_ns=restarted.now_ns + 61_000 * MS)
    told = written(tmp_path / "a.jsonl", first, first, lost, restarted, later)
    kinds = [each["event"] for each in told]
    assert kinds[:7] == ["tool", "tool", "registration", "clients", "process", "process", "recorder"]
    assert kinds[7:] == ["scheduling", "poses", "tool", "process", "poses"]
    assert told[9] == {
        "time": "2026-11-27T12:00:00.000+00:00",
        "event": "tool",
        "tool": "stylus",
        "validity": "stale",
        "reason": "a frame of 0.2 s",
    }
    assert told[10]["restarts"] == 3
    assert told[11]["dropped"] == 5


def test_a_change_of_the_live_ultrasound_is_written_and_its_numbers_are_not(tmp_path: Path):
    usable, doubted = ultrasound(), ultrasound(placing=Validity.SUSPECT, why="the image exchanges left and right")
    later = ultrasound(used=400, age_ms=20.0)
    told = written(tmp_path / "a.jsonl", *(standing(ultrasound=each) for each in (None, usable, later, doubted)))
    told = [each for each in told if each["event"] == "ultrasound"]
    assert [(each["state"], each["placing"], each["why"]) for each in told] == [
        ("usable", "valid", ""),
        ("usable", "suspect", "the image exchanges left and right"),
    ]


NAMES = st.text("abcdefghijklmnopqrstuvwxyzäöüéñßABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=12)
# Words of the log itself are no secret; a patient whose name is one of them loses a word of the log, and no more.
OWN = "time event tool validity reason registration clients here name self_test process is_running restarts why "
OWN += "scheduling real_time niceness core is_alone process_id recorder problem lost "
OWN += "poses batches dropped repeated age_max_ms newest_age_ms disk_free_bytes removed valid "
OWN += "42000000000 stale suspect untested passed failed true false null stylus driver"


@settings(max_examples=150, deadline=None)
@given(family=NAMES, given_name=NAMES, number=st.integers(10_000, 10**9), born=st.dates(), around=st.text(max_size=8))
def test_no_identifying_word_is_in_the_file(family: str, given_name: str, number: int, born, around: str):
    secrets = [family, given_name, str(number), born.strftime("%Y%m%d")]
    case = f"/data/{family}_{born:%Y%m%d}/case"
    telling = [
        f"{around}{family}",
        f"{given_name.upper()}^{family}",
        f"id={number},",
        f"born {born:%Y-%m-%d}",
        f"{born:%d/%m/%Y}",
        f"({case})",
    ]
    first = standing()
    told = replace(
        first,
        tools={"stylus": (Validity.LOST, " ".join(telling)), "driver": (Validity.LOST, f"the file {case}/ct.nii.gz")},
        registration=(Validity.LOST, f"withdrawn: {given_name} {family} was moved"),
        clients=((f"headset of {family.lower()}", SelfTestState.PASSED),),
        processes=(ChildState("recorder", True, 1, f"{case}/recordings: no such folder", 4242),),
        recorder=replace(first.recorder, problem=f"{case}/recordings/{number}.mcap: disk full"),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        written(path, first, told, words=(*secrets, case))
        text = path.read_text().casefold()
    for secret in secrets:
        if secret.casefold() not in OWN.casefold():
            assert secret.casefold() not in text, (secret, text)
    assert case.casefold() not in text
    assert "/data/" not in text


def test_without_known_words_paths_are_removed_and_reasons_stay():
    clean = Scrubber(()).clean
    assert clean("hidden behind the surgeon") == "hidden behind the surgeon"
    assert clean("the file /data/anna/ct.nii: cut short") == "the file [removed] cut short"
    known = Scrubber(("Müller^Anna", "19700203")).clean
    assert known("of muller, Müllers ANNA born 1970-02-03 or 3.2. or 03.02.1970") == (
        "of [removed] [removed] [removed] born [removed] or 3.2. or [removed]"
    )


def test_the_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log, "FILE_BYTES", 2000)
    first = standing()
    other = replace(first, tools={"stylus": (Validity.LOST, "hidden")})
    written(tmp_path / "a.jsonl", *[first, other] * 200)
    files = list(tmp_path.iterdir())
    assert len(files) == log.FILES
    assert all(file.stat().st_size <= 2000 for file in files)


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path):
    (tmp_path / "a").write_text("")
    with pytest.raises(EventLogError, match="--log"):
        StandingLog(tmp_path / "a" / "b.jsonl", Scrubber(()), lambda: NOON)
