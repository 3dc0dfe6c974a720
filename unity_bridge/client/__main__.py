"""``python -m unity_bridge.client``: the reference client as a process of its own.

Only this module of the package reads the machine's clock and the command line.

Exit codes: 0 if everything was received and the server acknowledged the report; 1 if something is missing (the report
says what); 2 without a server, or for a usage error.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geometry.errors import SurgNavError
from unity_bridge.client.poses.display_log import DisplayLog, watch
from unity_bridge.client.recording import save_recording
from unity_bridge.client.reference_client import ClientSettings, Endpoints, ReferenceClient
from unity_bridge.client.surfaces.puller import PullerSettings
from unity_bridge.client.surfaces.transfer import PulledSurface
from unity_bridge.errors import PeerRefusedError
from unity_bridge.transport.keys import ClientKeys, Enrolment, read_private
from unity_bridge.wire.clock_name import boot_clock_name

_NS = 1_000_000_000


class MonotonicClock:
    """CLOCK_MONOTONIC, which all processes of one machine share; the clock exchange verifies that."""

    clock_id = boot_clock_name()

    def now_ns(self) -> int:
        return time.monotonic_ns()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the client and returns the exit code."""
    options = _parser().parse_args(arguments)
    clock = MonotonicClock()
    puller = PullerSettings(form=options.form, max_triangles=options.max_triangles, glb=options.glb is not None)
    settings = ClientSettings(name=options.name, max_batches=options.max_batches, puller=puller)
    try:
        endpoints, keys = _server(options)
        with ReferenceClient(endpoints, clock, settings, keys) as client:
            patience_ns = clock.now_ns() + round(options.timeout * _NS)
            client.poll_until(lambda: client.is_ready or bool(client.refusal), patience_ns)
            ready = client.is_ready
            ready_ns = clock.now_ns()
            display = DisplayLog(client.age_limits)
            if ready:
                watch(client, display, clock, ready_ns + round(options.duration * _NS))
            taken = client.control.welcome is not None and client.finish(clock.now_ns() + 5 * _NS)
            summary = summarise(client, ready_ns if ready else None, taken) | {"display": display.summary()}
            _write(options.report, json.dumps(summary, indent=2) + "\n")
            if options.record is not None and client.control.clock_offset is not None:
                save_recording(client.recording(), options.record)
            if options.glb is not None:
                _write_glbs(client.surfaces.glbs, options.glb)
            _check_welcome(client)
    except SurgNavError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0 if summary["complete"] else 1 if ready else 2


def summarise(client: ReferenceClient, ready_ns: int | None, report_taken: bool) -> dict[str, Any]:
    """The report as JSON: what was sent to the server, and what concerns the client only.

    Args:
        client: the client, after it has finished.
        ready_ns: time at which everything was set up, on the client's clock; None if it never was.
        report_taken: whether the server acknowledged the report.
    """
    ready, offset = ready_ns is not None, client.control.clock_offset
    report = dataclasses.asdict(client.report())
    missing = client.surfaces.missing
    whole = ready and report_taken and not missing and not report["poses_lost"] and not report["messages_refused"]
    refusals = (client.poses.last_refusal, client.surfaces.last_refusal, client.control.last_refusal)
    return report | {
        "complete": whole,
        "ready": ready,
        "ready_server_ns": offset.to_server_ns(ready_ns) if ready_ns is not None and offset is not None else None,
        "report_taken": report_taken,
        "recording_full": client.poses.log.is_full,
        "surfaces_missing": missing,
        "surface_levels": [_level(pulled) for pulled in client.surfaces.surfaces.values()],
        "surface_reconnects": client.surfaces.reconnects,
        "server_sessions": client.poses.log.sessions,
        "refused_by_server": client.refusal,
        "self_test": client.control.self_test,
        "last_refusals": [refusal for refusal in refusals if refusal],
    }


def _check_welcome(client: ReferenceClient) -> None:
    """Raises `PeerRefusedError` if the server refuses this client, or did not prove to be the enrolled one."""
    reason = client.control.watch.reason or client.poses.watch.reason
    if reason:
        raise PeerRefusedError(
            f"no connection: {reason}",
            "a client that is enrolled at this server, and the server's pinned key",
            "enroll this client: surgnav keys enroll",
        )


def _level(pulled: PulledSurface) -> dict[str, Any]:
    """The level that is shown, its deviation from the full surface, and how it was pulled, as JSON."""
    level = pulled.level
    return {
        "name": pulled.entry.name,
        "triangles": level.triangle_count,
        "of": pulled.entry.triangle_count,
        "deviation_max_mm": level.deviation_max_mm,
        "deviation_p95_mm": level.deviation_p95_mm,
        "form": pulled.item.form.value,
        "bytes": len(pulled.received),
        "seconds": pulled.seconds,
    }


def _write_glbs(files: dict[str, bytes], folder: Path) -> None:
    """Writes one file for each surface; characters that file names should not have are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, content) in enumerate(sorted(files.items()), start=1):
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")
        (folder / f"{number:02d}_{plain}.glb").write_bytes(content)


def _server(options: argparse.Namespace) -> tuple[Endpoints, ClientKeys | None]:
    """The server's endpoints and the keys: from the enrolment, unless the command line states other addresses."""
    enrolment = Enrolment.from_text(read_private(options.keys)) if options.keys else None
    found = {}
    for name in ("poses", "surfaces", "control"):
        address = getattr(options, name)
        if address is None and enrolment is not None:
            address = f"tcp://{enrolment.hosts[0]}:{getattr(enrolment, name)}"
        found[name] = address or ""
    return Endpoints(**found), enrolment.client_keys if enrolment else None


def _write(target: str, text: str) -> None:
    if target == "-":
        sys.stdout.write(text)
    else:
        Path(target).write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m unity_bridge.client", description="SurgNav's reference client.")
    parser.add_argument("--poses", help="pose socket, such as tcp://127.0.0.1:5570; not needed with --keys")
    parser.add_argument("--surfaces", help="surface socket")
    parser.add_argument("--control", help="control socket")
    parser.add_argument("--keys", type=Path, help="file with the enrolment text, surgnav:1?...; mode 0600")
    parser.add_argument("--duration", type=float, default=10.0, help="seconds of poses to take in once all is set up")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds to wait for server, clock and surfaces")
    parser.add_argument("--name", default="reference client", help="how to introduce itself")
    parser.add_argument("--max-batches", type=int, default=60_000, help="pose batches to keep; all are counted")
    parser.add_argument("--report", default="-", help="file for the JSON report; - is standard output")
    parser.add_argument("--record", type=Path, help="file for everything received (.npz), for load_recording")
    parser.add_argument(
        "--form",
        choices=("auto", "raw", "compressed"),
        default="auto",
        help="of surfaces; auto is raw on loopback",
    )
    parser.add_argument("--max-triangles", type=int, help="budget of all surfaces together; all of them if left out")
    parser.add_argument("--glb", type=Path, metavar="FOLDER", help="pull every surface as GLB too, into this folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
