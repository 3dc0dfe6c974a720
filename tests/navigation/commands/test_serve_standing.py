"""``surgnav serve`` from outside: its metrics, its log, and its processes, each of which is killed once."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.navigation.commands import serving as driven
from tests.navigation.commands.serving import PATIENCE_S, Screen, serving

case = driven.case


def scrape(address: str) -> dict[tuple[str, ...], float]:
    with urlopen(address, timeout=PATIENCE_S) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def wait_until(condition) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("it never came to that")
        time.sleep(0.05)


def events(log: Path, event: str) -> list[dict]:
    return [told for line in log.read_text().splitlines() if (told := json.loads(line))["event"] == event]


def running(log: Path, name: str) -> dict:
    """The newest state of a process in the log."""
    return [told for told in events(log, "process") if told["name"] == name][-1]


def test_metrics_log_and_processes_that_are_killed(case: Path, tmp_path: Path):
    log = tmp_path / "log" / "serve.jsonl"
    with serving(case, "--metrics-port", "0", "--log", str(log), "--openigtlink", "0") as screen:
        address = screen.wait_for(r"metrics (http://127\.0\.0\.1:\d+/metrics)").group(1)
        wait_until(lambda: ("surgnav_recorder_recording",) in scrape(address))
        seen = scrape(address)
        assert seen["surgnav_pose_batches_total",] > 0.0
        assert seen["surgnav_pose_age_seconds_count",] > 0.0
        assert ("surgnav_tool_state", "valid", "stylus") in seen
        assert seen["surgnav_disk_free_bytes",] > 0.0
        for name in ("recorder", "OpenIGTLink server", "pose process"):
            kill_and_wait(screen, log, address, name)
        screen.program.send_signal(signal.SIGINT)
        assert screen.program.wait(PATIENCE_S) == 0
    text = log.read_text()
    assert [json.loads(line)["event"] for line in text.splitlines()][:: len(text.splitlines()) - 1] == [
        "started",
        "stopped",
    ]
    assert str(tmp_path) not in text, "the path of the case tells who the patient is"


def kill_and_wait(screen: Screen, log: Path, address: str, name: str) -> None:
    """Kills a process; poses go on meanwhile, and it is back."""
    wait_until(lambda: running(log, name)["is_running"])
    before = running(log, name)
    os.kill(before["process_id"], signal.SIGKILL)
    batches = scrape(address)["surgnav_pose_batches_total",]
    screen.wait_for(re.escape(f"the {name} has ended: killed by signal 9"))
    screen.wait_for(re.escape(f"the {name} is started again"))
    wait_until(lambda: scrape(address)["surgnav_process_restarts_total", name] == before["restarts"] + 1)
    wait_until(lambda: scrape(address)["surgnav_pose_batches_total",] > batches + 20)
    assert running(log, name)["process_id"] != before["process_id"]
