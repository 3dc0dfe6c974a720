"""Golden messages: the bytes of wire v1, and what they mean, for decoders in any language.

    python -m tests.unity_bridge.wire.golden_vectors    writes tests/golden/wire/*.bin and *.json

Regenerate only when the protocol changes on purpose. A message or an optional field that is new adds vectors and leaves
the bytes of the others as they are; other bytes for an old one mean a new minor or major version.
"""

import dataclasses
import json

import numpy as np
from scipy.spatial.transform import Rotation

from geometry.clock import ManualClock
from geometry.transform import Transform
from tests.conftest import REPOSITORY
from tests.unity_bridge.poses.filtered_vectors import filtered_batch
from tests.unity_bridge.poses.guidance_vectors import guidance
from tests.unity_bridge.strategies import bumpy_sphere, tetrahedron
from tests.unity_bridge.ultrasound.golden_ultrasound import ultrasound_messages
from unity_bridge.poses.batch import PoseBatch, PoseBatchDecoder
from unity_bridge.poses.encoder import encode_pose_batch
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.surfaces.compression import compress_surface, decompress_surface, in_wire_order
from unity_bridge.surfaces.payload import decode_surface, encode_surface
from unity_bridge.wire import messages as m
from unity_bridge.wire.envelope import Header, MessageType, Session, Validity, unpack_message
from unity_bridge.wire.generated.constants import COMPRESSED_MAGIC, SURFACE_MAGIC, EventOutcome, SelfTestState

FOLDER = REPOSITORY / "tests" / "golden" / "wire"
SESSION = Session(bytes(range(16)), ManualClock(1_700_000_000_123_456_789, "monotonic"))
SURFACE = encode_surface(tetrahedron())
COMPRESSED = compress_surface(encode_surface(in_wire_order(bumpy_sphere(4, 5))).data)
STREAM = "0f8fad5b-d9cb-469f-a165-70867728950e"


def pose_batches() -> dict[str, bytes]:
    header, tools = header_and_tools()
    lost = dataclasses.replace(header, sequence=1002, validity=Validity.LOST)
    return {
        "pose_batch": encode_pose_batch(header, tools),
        "pose_batch_reference_lost": encode_pose_batch(lost, [tools[2]], "the reference is covered"),
    }


def pose_batch_with_a_covariance() -> bytes:
    header, tools = header_and_tools()
    known = np.array([[0.25, 0.125, -0.0625], [0.125, 0.5, 0.03125], [-0.0625, 0.03125, 1.0]])
    later = dataclasses.replace(header, sequence=1003, validity=Validity.STALE)
    return encode_pose_batch(later, [dataclasses.replace(tools[0], covariance_mm2=known), *tools[1:]], "one is known")


def header_and_tools() -> tuple[Header, list[ToolState]]:
    header = dataclasses.replace(
        SESSION.header(MessageType.POSE_BATCH, 1001, 1_700_000_000_120_000_000), validity=Validity.VALID
    )
    quarter_turn = Transform.from_rotation(
        Rotation.from_euler("x", 90, degrees=True), [100.0, 200.0, -300.0], "reference", "stylus_tip"
    )
    askew = Transform.from_rotation(
        Rotation.from_quat([0.5, -0.5, 0.5, 0.5]), [-12.5, 0.25, 1999.75], "reference", "ct"
    )
    tools = [
        ToolState(
            tool="stylus",
            to_frame="reference",
            from_frame="stylus_tip",
            validity=Validity.VALID,
            T_to_from=quarter_turn,
            expected_error_mm=0.5,
            registration_id="registration-1",
        ),
        ToolState(
            tool="patient",
            to_frame="reference",
            from_frame="ct",
            validity=Validity.STALE,
            T_to_from=askew,
            capture_ns=1_700_000_000_080_000_000,
            reason="no frame for 40 ms",
            registration_id="registration-1",
        ),
        ToolState(
            tool="drill", to_frame="reference", from_frame="drill", validity=Validity.LOST, reason="verdeckt (Gerät)"
        ),
        ToolState(
            tool="probe",
            to_frame="reference",
            from_frame="probe",
            validity=Validity.SUSPECT,
            reason="the marker does not fit its design",
        ),
    ]
    return header, tools


def other_messages() -> dict[str, m.Declared]:
    sha256 = SURFACE.sha256
    received = m.ReceivedSurface(
        sha256=sha256, name="liver", vertex_count=4, triangle_count=4, byte_count=144, seconds=0.25
    )
    entry = m.SurfaceEntry(
        name="tetrahedron",
        sha256=sha256,
        vertex_count=SURFACE.vertex_count,
        triangle_count=SURFACE.triangle_count,
        byte_count=len(SURFACE.data),
        quantisation_step_mm=SURFACE.quantisation_step_mm,
        frame="ct",
        approval="approved",
        approved_by="Dr. A. Example",
    )
    full = m.SurfaceLevel(
        sha256=sha256,
        vertex_count=entry.vertex_count,
        triangle_count=entry.triangle_count,
        byte_count=entry.byte_count,
        quantisation_step_mm=entry.quantisation_step_mm,
        deviation_max_mm=0.0,
        deviation_p95_mm=0.0,
        compressed_sha256="c0" * 32,
        compressed_byte_count=130,
        glb_sha256="61" * 32,
        glb_byte_count=1200,
    )
    coarse = m.SurfaceLevel(
        sha256="0c" * 32,
        vertex_count=3,
        triangle_count=2,
        byte_count=116,
        quantisation_step_mm=0.004,
        deviation_max_mm=7.5,
        deviation_p95_mm=2.25,
    )
    ages = m.Welcome(
        server_name="surgnav",
        program="surgnav 0.1.0",
        clock_id="monotonic",
        rate_hz=60.0,
        last_pose_sequence=0,
        registration_id="registration-1",
        registration_validity=Validity.VALID,
        pose_stale_after_ms=80.0,
        pose_lost_after_ms=200.0,
    )
    return {
        **events(),
        **self_test(),
        **observations(),
        **guidance(),
        "hello": m.Hello(client_name="headset 1", program="example 0.1"),
        "hello_after_a_broken_link": m.Hello(
            client_name="headset 1", program="example 0.1", stream=STREAM, last_event=41
        ),
        "welcome": m.Welcome(
            server_name="surgnav",
            program="surgnav 0.1.0",
            clock_id="monotonic",
            rate_hz=100.0,
            last_pose_sequence=1001,
            registration_id="registration-1",
            registration_validity=Validity.SUSPECT,
            registration_reason="verification touch 2.4 mm off",
            tools=("stylus", "drill"),
            surfaces=(sha256,),
            research_session=True,
            notice="Research software, not a medical device.",
        ),
        "welcome_failed_self_test": m.Welcome(
            server_name="surgnav",
            program="surgnav 0.1.0",
            clock_id="monotonic",
            rate_hz=100.0,
            last_pose_sequence=1001,
            registration_id="",
            registration_validity=Validity.LOST,
            registration_reason="not registered",
            last_event=42,
            self_test=SelfTestState.FAILED,
            self_test_reasons=("mirrored along x",),
            selected_target="segment 7",
            open_requests=("registration: the patient was moved",),
        ),
        "welcome_pose_ages": ages,
        "welcome_admitted": dataclasses.replace(ages, self_test=SelfTestState.PASSED, pose_token=bytes(range(32))),
        "clock_request": m.ClockRequest(client_sent_ns=-1),
        "clock_reply": m.ClockReply(client_sent_ns=-1, server_received_ns=2**62, server_sent_ns=2**62 + 5),
        "client_report": m.ClientReport(
            batches_received=1000,
            poses_lost=2,
            first_sequence=1,
            last_sequence=1002,
            latency_p50_ms=0.5,
            clock_offset_ns=-12_345,
            clock_error_ns=50_000,
            surfaces=(received,),
        ),
        "acknowledge": m.Acknowledge(answers_sequence=17),
        "goodbye": m.Goodbye(reason="shift is over"),
        "error": m.Error(
            code="UnknownClient", came="a ClockRequest", allowed="after Hello", action="say Hello", answers_sequence=3
        ),
        "surface_list_request": m.SurfaceListRequest(),
        "surface_manifest": m.SurfaceManifest(revision=3, surfaces=(entry,)),
        "surface_manifest_levels": m.SurfaceManifest(
            revision=4, surfaces=(dataclasses.replace(entry, levels=(coarse, full)),)
        ),
        "surface_chunk_request": m.SurfaceChunkRequest(sha256=sha256, offset=64, length=32),
        "surface_chunk": m.SurfaceChunk(
            sha256=sha256, offset=64, total_bytes=len(SURFACE.data), data=SURFACE.data[64:96]
        ),
    }


def events() -> dict[str, m.Declared]:
    session = SESSION.session_id.hex()
    return {
        "client_event_landmark_touched": m.ClientEvent(
            stream=STREAM,
            number=1,
            kind="landmark_touched",
            first_session=session,
            happened_ns=1_700_000_000_000_000_000,
            name="xiphoid",
            frame="reference",
            position_m=(-0.125, 0.25, 0.0625),
            registration_id="registration-1",
            tool="stylus",
        ),
        "client_event_landmark_held": m.ClientEvent(
            stream=STREAM,
            number=2,
            kind="landmark_touched",
            first_session=session,
            happened_ns=1_700_000_000_000_000_000,
            person="Dr. A. Example",
            name="xiphoid",
            frame="headset",
            position_m=(-0.125, 0.25, 0.0625),
            tool="Pointer",
            spread_mm=0.25,
            samples=36,
            anchor="place-1",
        ),
        "client_event_decide_surface": m.ClientEvent(
            stream=STREAM,
            number=2**64 - 1,
            kind="decide_surface",
            first_session=session,
            person="Dr. A. Example",
            name="liver",
            sha256=SURFACE.sha256,
            decision="approved",
        ),
        "event_answer_accepted": m.EventAnswer(
            stream=STREAM, number=1, outcome=EventOutcome.ACCEPTED, note="kept in the case"
        ),
        "event_answer_refused": m.EventAnswer(
            stream=STREAM,
            number=2,
            outcome=EventOutcome.REFUSED,
            code="EventRefused",
            came="a decision by 'Dr. A. Example'",
            allowed="nobody decides from a headset in this session",
            action="decide at the console: surgnav review",
        ),
        "event_answer_pending": m.EventAnswer(stream=STREAM, number=3, outcome=EventOutcome.PENDING),
        "server_event_tool_lost": m.ServerEvent(
            number=41,
            kind="tool_lost",
            happened_ns=1_700_000_000_000_000_000,
            oldest_kept=1,
            name="drill",
            validity=Validity.LOST,
            reason="covered",
        ),
        "server_event_surface_approved": m.ServerEvent(
            number=42,
            kind="surface_approved",
            happened_ns=1_700_000_000_000_000_000,
            oldest_kept=1,
            name="liver",
            registration_id="registration-1",
            sha256=SURFACE.sha256,
            person="Dr. A. Example",
        ),
        "event_receipt": m.EventReceipt(last_event=42),
    }


def self_test() -> dict[str, m.Declared]:
    placed = m.PlacedPoint(vertex=0, position_m=(0.5, -0.25, 0.125), normal=(0.0, 1.0, 0.0))
    triangle = m.PlacedTriangle(triangle=3, visible_side=(-0.002, 0.0, 0.0))
    return {
        "self_test_request": m.SelfTestRequest(),
        "self_test_task": m.SelfTestTask(
            challenge=2**63 + 1,
            surface=SURFACE.data,
            batches=tuple(pose_batches().values()),
            root="reference",
            points=(m.TestPoint(vertex=0, name="origin"), m.TestPoint(vertex=3, name="tip")),
            triangles=(0, 3),
        ),
        "self_test_report": m.SelfTestReport(
            challenge=2**63 + 1, placements=(m.Placement(batch=0, points=(placed,), triangles=(triangle,)),)
        ),
        "self_test_verdict": m.SelfTestVerdict(
            challenge=2**63 + 1, state=SelfTestState.FAILED, reasons=("mirrored along x", "wound the wrong way")
        ),
        "self_test_verdict_passed": m.SelfTestVerdict(challenge=1, state=SelfTestState.PASSED),
        "self_test_verdict_admitted": m.SelfTestVerdict(
            challenge=1, state=SelfTestState.PASSED, pose_token=bytes(range(32))
        ),
    }


def observations() -> dict[str, m.Declared]:
    covariance = tuple(0.0 if row < column else 2.0**-row for row in range(6) for column in range(row, 6))
    pose = {"position_m": (-0.125, 0.25, 1.5), "rotation_xyzw": (0.5, -0.5, 0.5, 0.5)}
    stylus = m.ObservedTool(
        tool="Pointer",
        validity=Validity.VALID,
        **pose,
        seen_ns=1_700_000_000_110_000_000,
        fit_rms_mm=0.375,
        covariance=covariance,
    )
    return {
        "tool_observations": m.ToolObservations(
            frame="headset",
            anchor="place-1",
            number=2**40 + 1,
            seen_ns=1_700_000_000_120_000_000,
            clock_error_ns=1_500_000,
            tools=(stylus, m.ObservedTool(tool="Cube (Gerät)", validity=Validity.LOST, reason="covered")),
        ),
        "headset_alignment": m.HeadsetAlignment(
            validity=Validity.VALID,
            anchor="place-1",
            expected_p95_mm=2.625,
            calibrated="2026-11-27T09:15:00+00:00, 3 hours old",
            **pose,
        ),
    } | ultrasound_messages()


def build() -> dict[str, bytes]:
    """Every golden message by name."""
    declared = {name: m.encode_message(message, SESSION, 7) for name, message in other_messages().items()}
    more = {"pose_batch_covariances": pose_batch_with_a_covariance(), "surface_compressed": COMPRESSED}
    more["pose_batch_filtered"] = filtered_batch(*header_and_tools())
    return pose_batches() | more | declared | {"surface": SURFACE.data}


def meaning(data: bytes) -> dict:
    """What a decoder must read from the bytes, in JSON's terms: bytes are hexadecimal, absent values null."""
    if data[:4] == SURFACE_MAGIC:
        return _plain(decode_surface(data))
    if data[:4] == COMPRESSED_MAGIC:
        payload = decompress_surface(data)
        return {"payload": payload.hex()} | _plain(decode_surface(payload))
    header, _ = unpack_message(data)
    if header.message_type == MessageType.POSE_BATCH:
        batch = PoseBatchDecoder().decode(data)
        return _header(header) | _pose_batch(batch)
    message = {"message": _plain(m.decode_message(data)[1])}  # first: it refuses unknown types
    return _header(header) | message


def _header(header: Header) -> dict:
    return {"type": MessageType(header.message_type).name, "header": _plain(header)}


def _pose_batch(batch: PoseBatch) -> dict:
    return {"reason": batch.reason, "tools": [_plain(tool) for tool in batch.tools.values()]}


def _plain(value):
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in build().items():
        (FOLDER / f"{name}.bin").write_bytes(data)
        text = json.dumps(meaning(data), indent=1, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
