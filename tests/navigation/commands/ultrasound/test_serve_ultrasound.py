"""``surgnav serve`` of a room with live ultrasound over OpenIGTLink: placed beside the patient, or said why not."""

from __future__ import annotations

import json
import signal
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from typer.testing import CliRunner

from navigation.cli import app
from navigation.clock import NS_PER_S, MonotonicClock
from tests.navigation.commands.register.harness import TARGETS, make_case
from tests.navigation.commands.serving import ADDRESSES, PATIENCE_S, serving
from tests.navigation.commands.ultrasound.scanner_room import room
from tests.navigation.ultrasound.live.scanner import COLUMNS_MM, SIZE_PX, Scanner, film, pose
from unity_bridge.client.reference_client import Endpoints, ReferenceClient
from unity_bridge.ultrasound.placed import placed_image
from unity_bridge.wire.envelope import Validity

CLOCK = MonotonicClock()


def check_a_client(client: ReferenceClient, scanner: Scanner) -> None:
    """It is shown frames where they are in truth, with their image; and none without the cable."""
    deadline_ns = CLOCK.now_ns() + 60 * NS_PER_S

    def shown(state: str) -> bool:
        now = client.contours
        return now is not None and now.frame.state == state and (state != "usable" or now.validity is Validity.VALID)

    assert client.poll_until(lambda: shown("usable"), deadline_ns)
    frame = client.contours.frame
    plane = np.eye(4)
    plane[:3, :2], plane[:3, 3] = COLUMNS_MM[:, :2], COLUMNS_MM[:, 2]
    true = pose(frame.shows_ns / NS_PER_S).matrix @ plane
    placed = placed_image(frame)
    assert placed.to_frame == "reference"
    corners = np.array([[0, 0, 0, 1], [159, 0, 0, 1], [0, 159, 0, 1], [159, 159, 0, 1]]).T
    # The stamps of sender and tracker are of one clock; on a busy machine the poses between are 20 ms apart.
    np.testing.assert_allclose((placed.image_px_to_mm @ corners)[:3], (true @ corners)[:3], atol=0.5)
    assert client.poll_until(lambda: client.ultrasound.images.newest is not None, deadline_ns)
    pixels = cv2.imdecode(np.frombuffer(client.ultrasound.images.newest.image, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels.shape == SIZE_PX
    scanner.pull_cable()
    assert client.poll_until(lambda: shown("ended") or shown("silent"), deadline_ns)
    assert client.contours.validity is Validity.LOST
    assert client.contours.frame.contours == ()


def test_clients_are_shown_it_where_it_is_and_told_where_it_is_not(tmp_path: Path) -> None:
    log, case = tmp_path / "log.jsonl", make_case(tmp_path / "case", TARGETS)
    with closing(Scanner(film())) as scanner:
        asked = ("--room", str(room(tmp_path, scanner.port)), "--no-record", "--log", str(log))
        with serving(case, *asked) as screen:
            screen.wait_for(r"probe: calibrated 2026-11-20.*lag -60\.0 ms")
            screen.wait_for("ultrasound usable, placed in reference")
            screen.wait_for("ultrasound moves with the probe sideways")
            poses, surfaces, control = screen.wait_for(ADDRESSES.pattern).groups()
            endpoints = Endpoints(poses=poses, surfaces=surfaces, control=control)
            with ReferenceClient(endpoints, CLOCK) as client:
                check_a_client(client, scanner)
            screen.wait_for("ultrasound (ended|silent): .*it is opened again")
            scanner.plug_in()
            screen.said = ""
            screen.wait_for("ultrasound usable, placed in reference")
            screen.program.send_signal(signal.SIGINT)
            assert screen.program.wait(PATIENCE_S) == 0
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    told = [line for line in lines if line["event"] == "ultrasound"]
    assert {line["placing"] for line in told} >= {"valid"}
    assert any(line["state"] == "usable" and line["placing"] == "valid" for line in told)


def test_a_room_without_images_is_refused_before_anything_runs(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", TARGETS)
    asked = ["serve", str(case), "--room", str(room(tmp_path, 1, image="")), "--ports", "0", "0", "0"]
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code == 1
    assert "with no sources of ultrasound among plus" in " ".join(refused.output.split())
