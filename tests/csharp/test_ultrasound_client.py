"""Live ultrasound from the Python server to the C# client: all of it with a token, none without."""

import contextlib
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scripts.csharp.build import run_command
from scripts.csharp.headset import build_headset
from tests.unity_bridge.harness import CLOCK, Server, encode_jpeg
from tests.unity_bridge.ultrasound.golden_ultrasound import ultrasound_messages
from unity_bridge.transport.admission import AdmissionCheck
from unity_bridge.ultrasound.server import UltrasoundServer

FRAME = replace(ultrasound_messages()["ultrasound_frame"], image=None)
PIXELS = np.random.default_rng(2).integers(0, 255, (FRAME.height_px, FRAME.width_px), np.uint8)
SHOWN, IMAGES_SHOWN = 2, 5


@pytest.fixture
def headset(tools, runtime, tmp_path):
    """Runs the C# client against a server that offers 33 frames a second; returns its report."""

    def run(server: Server) -> dict:
        where, file = server.endpoints, tmp_path / "report.json"
        command = [*run_command(build_headset(tools), tools, runtime), "--ultrasound", "images", "--duration", "3"]
        command += ["--poses", where.poses, "--surfaces", where.surfaces, "--control", where.control]
        with subprocess.Popen([*command, "--report", str(file)]) as client:
            serve_while(server, client)
        return read(file)

    return run


def serve_while(server: Server, client: subprocess.Popen) -> None:
    number, deadline_ns = 0, CLOCK.now_ns() + 120_000_000_000
    while client.poll() is None:
        number += 1
        server.publish()
        if number % 3 == 0:
            server.ultrasound.offer(replace(FRAME, number=number, shows_ns=CLOCK.now_ns()), PIXELS)
        server.serve(10)
        if CLOCK.now_ns() > deadline_ns:
            client.kill()


def read(file: Path) -> dict:
    return json.loads(file.read_text("utf-8"))


def test_contours_and_images_come_to_who_has_passed_the_self_test(headset):
    with contextlib.closing(Server(with_ultrasound=True)) as server:
        report = headset(server)
    ultrasound = report["ultrasound"]
    for kind in ("contours", "images"):
        assert ultrasound[kind]["received"] > 10
        assert (ultrasound[kind]["refused"], ultrasound[kind]["last_refusal"]) == (0, "")
        assert ultrasound[kind]["latency_p50_ms"] > 0
    assert ultrasound["displayed"][SHOWN] > 0
    assert ultrasound["displayed"][IMAGES_SHOWN] > 0


def test_without_a_token_of_this_session_nothing_comes(headset):
    """Its token is good for the poses, and of another secret than the ultrasound's."""
    with contextlib.closing(Server(with_ultrasound=True)) as server:
        server.ultrasound.close()
        other = AdmissionCheck(b"the secret of another session")
        server.ultrasound = UltrasoundServer("tcp://127.0.0.1:*", server.session, server.context, encode_jpeg, other)
        server.ultrasound_port = int(server.ultrasound.endpoint.rpartition(":")[2])
        report = headset(server)
    assert report["batches_received"] > 0
    ultrasound = report["ultrasound"]
    assert (ultrasound["contours"]["received"], ultrasound["images"]["received"]) == (0, 0)
    assert "SelfTestRequired" in ultrasound["contours"]["last_refusal"]
    assert (ultrasound["displayed"][SHOWN], ultrasound["displayed"][IMAGES_SHOWN]) == (0, 0)
