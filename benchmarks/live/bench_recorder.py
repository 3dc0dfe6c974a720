"""The recorder beside the Python library mcap: messages a second, what a tap costs, what a sudden end takes.

    .venv/bin/python -m benchmarks.live.bench_recorder [--seconds 5] [--kills 20]

One run measures everything, so that ratios are of one machine in one state.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from mcap.writer import Writer
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import REFERENCE, TRACKER
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.devices.replay.mcap_messages import McapMessages
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.recorder.forms import wire_form
from navigation.recorder.mcap_sink import McapSink
from navigation.recorder.process import RecorderConfig, RecorderProcess
from navigation.recorder.tap import POSES, Kind, Tap, device_topic, packed_frame
from unity_bridge.poses.encoder import PoseBatchEncoder
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import MessageType, Session, Validity

TOOLS, RATE_HZ = 16, 1000
MESSAGES = 20_000
TOPIC = device_topic("camera")


def made(count: int) -> tuple[list[TrackerFrame], list[bytes]]:
    """Frames of 16 tools, and the batches that they would become."""
    rng = np.random.default_rng(7)
    names = [f"tool_{number}" for number in range(TOOLS)]
    encoder, session = PoseBatchEncoder(), Session(bytes(16), MonotonicClock())
    frames, batches = [], []
    for sequence in range(1, count + 1):
        poses = [
            Transform.from_rotation(Rotation.random(random_state=rng), rng.normal(size=3) * 300.0, TRACKER, name)
            for name in names
        ]
        seen = {name: ToolObservation(Visibility.VISIBLE, pose, 0.2) for name, pose in zip(names, poses, strict=True)}
        frames.append(TrackerFrame(sequence, sequence * 1_000_000, seen))
        states = [
            ToolState(
                tool=name,
                to_frame=REFERENCE,
                from_frame=name,
                validity=Validity.VALID,
                T_to_from=Transform(pose.matrix, REFERENCE, name),
            )
            for name, pose in zip(names, poses, strict=True)
        ]
        header = session.header(MessageType.POSE_BATCH, sequence, sequence * 1_000_000, Validity.VALID)
        batches.append(encoder.encode(header, states))
    return frames, batches


def per_second(write: Callable[[int], object], count: int) -> float:
    """Messages for each second of a core, which other programs change less than those for each second."""
    begun = time.process_time()
    for number in range(count):
        write(number)
    return count / (time.process_time() - begun)


def writers(folder: Path, batches: list[bytes]) -> None:
    """The same messages, chunks and compression, by either library."""
    sink, form = McapSink(folder / "ours.mcap"), wire_form()
    ours = per_second(lambda n: sink.log(POSES, form, n, batches[n % len(batches)]), MESSAGES)
    sink.close()
    with (folder / "theirs.mcap").open("wb") as stream:
        writer = Writer(stream)
        writer.start()
        channel = writer.register_channel(POSES, "surgnav.wire", writer.register_schema("wire", "toml", b""))
        theirs = per_second(lambda n: writer.add_message(channel, n, batches[n % len(batches)], n), MESSAGES)
        writer.finish()
    print(f"{MESSAGES} batches of {len(batches[0])} bytes, for each second of a core: {ours:,.0f}, mcap {theirs:,.0f}")
    print(f"  ratio {ours / theirs:.1f}; {len(list(McapMessages(folder / 'theirs.mcap')))} read again of its file")


def taps(folder: Path, frames: list[TrackerFrame], batches: list[bytes], seconds: float) -> None:
    """Frames and batches of 16 tools at 1,000 Hz into a recorder of its own."""
    clock = MonotonicClock()
    with closing(RecorderProcess(RecorderConfig(folder=folder / "taps", tool_ids={}))) as recorder:
        tap = Tap(recorder.address, "poses", clock)
        while recorder.state is None:
            recorder.poll()
            time.sleep(0.01)
        costs_us, start_ns, count = [], clock.now_ns(), round(seconds * RATE_HZ)
        for number in range(count):
            clock.sleep_until_ns(start_ns + number * NS_PER_S // RATE_HZ)
            begun = time.perf_counter_ns()
            tap.give(Kind.FRAME, TOPIC, packed_frame(frames[number % len(frames)]))
            tap.poses(batches[number % len(batches)])
            costs_us.append((time.perf_counter_ns() - begun) / 1e3)
        tap.close()
        dropped = tap.dropped
    (path,) = (folder / "taps").iterdir()
    kept = sum(message.topic in (TOPIC, POSES) for message in McapMessages(path))
    cpu_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    print(f"{TOOLS} tools at {RATE_HZ} Hz for {seconds:g} s: {kept} of {2 * count} messages kept, {dropped} dropped")
    p50, p99 = np.percentile(costs_us, [50, 99])
    print(f"  a frame and its batch cost the pose loop {p50:.0f} us in the middle, {p99:.0f} for 99 of 100")
    print(f"  recorder: {cpu_s:.1f} s of a core, start included; {path.stat().st_size / seconds / 1e6:.2f} MB a second")


def kills(folder: Path, batches: list[bytes], count: int) -> None:
    """SIGKILL at any moment: how much older than the end the newest message in the file is."""
    clock, rng, lost_ms, unread = MonotonicClock(), np.random.default_rng(5), [], 0
    for number in range(count):
        kept = folder / f"kill_{number}"
        recorder = RecorderProcess(RecorderConfig(folder=kept, tool_ids={}))
        with closing(recorder), closing(Tap(recorder.address, "poses", clock)) as tap:
            while recorder.state is None:
                recorder.poll()
                time.sleep(0.01)
            end_ns = clock.now_ns() + round(rng.uniform(0.5, 1.5) * NS_PER_S)
            while clock.now_ns() < end_ns:
                tap.give(Kind.JSON, "/given", json.dumps({"given_ns": clock.now_ns()}).encode())
                tap.poses(batches[0])
                clock.sleep_until_ns(clock.now_ns() + 2_000_000)
            os.kill(recorder.process_id or 0, signal.SIGKILL)
            killed_ns = clock.now_ns()
        stored = McapMessages(next(kept.iterdir()))
        given = [json.loads(message.data)["given_ns"] for message in stored if message.topic == "/given"]
        unread += bool(stored.faults) or not given
        lost_ms.append((killed_ns - given[-1]) / 1e6 if given else float("inf"))
    print(f"{count} recorders killed: {unread} files that do not open; lost {np.median(lost_ms):.0f} ms in the middle,")
    print(f"  {max(lost_ms):.0f} ms at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    frames, batches = made(500)
    with tempfile.TemporaryDirectory() as name:
        writers(Path(name), batches)
        taps(Path(name), frames, batches, options.seconds)
        kills(Path(name), batches, options.kills)


if __name__ == "__main__":
    main()
