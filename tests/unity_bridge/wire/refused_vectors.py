"""Golden messages that must be refused: each is a good one with a single mistake, and names the rule that it breaks.

    python -m tests.unity_bridge.wire.refused_vectors    writes tests/golden/wire/refused/*.bin and *.json

`rule` is quoted from docs/unity_bridge/protocol.md. `code` is that of the Error which a server would answer with.
`stage` says where it is found: `decode`, or `levels` of a manifest that decodes.
"""

import dataclasses
import json
import struct
from typing import Any

from tests.unity_bridge.poses.refused_filters import filtered
from tests.unity_bridge.wire.golden_vectors import COMPRESSED, FOLDER, SESSION, SURFACE, other_messages
from tests.unity_bridge.wire.one_mistake import GOOD, Refused, fields_of, patched, with_fields
from unity_bridge.wire import messages as m
from unity_bridge.wire.envelope import pack_field, pack_message, unpack_message
from unity_bridge.wire.generated.constants import MAX_LEVELS, MAX_TOOLS, REPEAT_LIMIT
from unity_bridge.wire.schema import encode

REFUSED = FOLDER / "refused"
NAN, INFINITY = float("nan"), float("inf")


# -------------------------------------------------------------------------------------------------------- the envelope
def headers() -> dict[str, Refused]:
    hello = GOOD["hello"]
    within = "header length plus body length must lie within the frame"
    return {
        "header_truncated": Refused(hello[:63], within, "a message of 63 bytes"),
        "header_of_another_protocol": Refused(patched(hello, 0, "4s", b"SNAX"), "`SNAV`", "begins with b'SNAX'"),
        "header_of_another_major_version": Refused(
            patched(hello, 4, "B", 2), "1; refuse any other", "wire version 2.0", "UnsupportedVersion"
        ),
        "header_too_short": Refused(patched(hello, 8, "H", 63), "64 or more; the body begins here", "a header of 63"),
        "header_beyond_the_frame": Refused(patched(hello, 8, "H", 65), within, "a header of 65"),
        "body_beyond_the_frame": Refused(patched(hello, 12, "I", len(hello) - 63), within, "and a body of"),
        "header_of_an_unknown_validity": Refused(patched(hello, 56, "B", 5), "Refuse other codes", "validity code 5"),
    }


def fields() -> dict[str, Refused]:
    length = "a payload of another length than its kind has"
    welcome = fields_of("welcome")
    cut = patched(GOOD["clock_request"], 66, "I", 9)
    surface = m.SurfaceChunkRequest(sha256="0c" * 32, offset=0, length=1)
    chunk = m.encode_message(surface, SESSION, 7)
    return {
        "field_beyond_the_body": Refused(cut, "Check each length against what is left of the body", "field 1 of 9"),
        "bytes_after_the_last_field": Refused(
            pack_message(unpack_message(GOOD["goodbye"])[0], b"\x01\x00\x00"),
            "Check each length against what is left of the body",
            "3 stray bytes",
        ),
        "field_twice": Refused(
            with_fields("hello", *fields_of("hello"), (1, b"another name")),
            "A tag that does not repeat and comes twice is an error",
            "'client_name' twice",
        ),
        "field_missing": Refused(
            with_fields("hello", (1, b"headset")), "a required field that is missing", "without ['program']"
        ),
        "number_too_short": Refused(with_fields("clock_request", (1, bytes(7))), length, "a i64 of 7 bytes"),
        "number_not_finite": Refused(
            with_fields("welcome", *fields_of("welcome", tag_4=struct.pack("<d", NAN))), "f64 is finite", "number nan"
        ),
        "flag_of_two": Refused(
            with_fields("welcome", *fields_of("welcome", tag_11=b"\2")), "one byte, 0 or 1", "a flag of"
        ),
        "code_of_no_validity": Refused(
            with_fields("welcome", *fields_of("welcome", tag_7=b"\0")), "Refuse other codes", "a Validity of"
        ),
        "text_too_long": Refused(
            with_fields("goodbye", (1, b"x" * 1025)), "UTF-8, at most 1,024 bytes", "a text of 1025 bytes"
        ),
        "text_that_is_none": Refused(
            with_fields("goodbye", (1, b"\xc3\x28")), "UTF-8, at most 1,024 bytes", "a text that is not UTF-8"
        ),
        "hash_too_short": Refused(
            patched(chunk[:64] + pack_field(1, bytes(31)) + chunk[64 + 38 :], 12, "I", len(chunk) - 65),
            length,
            "a SHA-256 of 31 bytes",
        ),
        "too_many_repetitions": Refused(
            with_fields("welcome", *welcome, *[(9, b"")] * REPEAT_LIMIT),
            "comes at most 4,096 times",
            f"more than {REPEAT_LIMIT}",
        ),
        "nested_message_broken": Refused(
            with_fields("surface_manifest", (1, bytes(8)), (2, b"\x01\x00\xff")), "nested fields", "3 stray bytes"
        ),
    }


def positions() -> dict[str, Refused]:
    rule = "f64[3] in m, each within 1,000; refuse others"

    def touch(*position_m: float) -> bytes:
        name = "client_event_landmark_touched"
        return with_fields(name, *fields_of(name, tag_9=struct.pack("<3d", *position_m)))

    return {
        "touch_too_far": Refused(touch(0.0, 1e300, 0.0), rule, "a position at"),
        "touch_just_too_far": Refused(touch(-1000.001, 0.0, 0.0), rule, "a position at"),
        "touch_at_infinity": Refused(touch(0.0, 0.0, INFINITY), "f64 is finite", "the number inf"),
        "touch_nowhere": Refused(touch(NAN, 0.0, 0.0), "f64 is finite", "the number nan"),
    }


def observations() -> dict[str, Refused]:
    good = other_messages()["tool_observations"]
    tool = encode(good.tools[0])

    def seen(old: bytes, new: bytes) -> bytes:
        changed = tool.replace(old, new)
        assert changed != tool
        return with_fields("tool_observations", *fields_of("tool_observations")[:5], (6, changed))

    covariance = pack_field(8, struct.pack("<21d", *good.tools[0].covariance))
    return {
        "observed_tool_too_far": Refused(
            seen(struct.pack("<d", 1.5), struct.pack("<d", 1500.0)),
            "f64[3] in m, each within 1,000; refuse others",
            "a position at",
        ),
        "observed_covariance_too_short": Refused(
            seen(covariance, pack_field(8, bytes(160))),
            "a payload of another length than its kind has",
            "21 numbers of 160 bytes",
        ),
        "observed_tool_without_validity": Refused(
            seen(pack_field(2, b"\1"), b""), "a required field that is missing", "without ['validity']"
        ),
    }


# -------------------------------------------------------------------------------------------------------------- poses
_STRINGS, _TOOLS = (payload for _, payload in fields_of("pose_batch"))
# Where the records are in the message: the first is valid, the second stale, the third lost, the fourth without a pose.
_VALID, _STALE, _LOST, _SUSPECT = (64 + 6 + len(_STRINGS) + 6 + 4 + 56 * place for place in range(4))


def batch(strings: bytes = _STRINGS, tools: bytes = _TOOLS) -> bytes:
    return with_fields("pose_batch", (1, strings), (2, tools))


def record(at: int, offset: int, layout: str, *values: Any) -> bytes:
    return patched(GOOD["pose_batch"], at + offset, layout, *values)


def poses() -> dict[str, Refused]:
    good = GOOD["pose_batch"]
    code = "an index or a code is out of range (0 is no code)"
    lost, valid = "a lost tool has a pose", "a valid one has none"
    zero = "a position or rotation is not zero where bit 0 says that there is no pose"
    finite, near = "a number is not finite", "a position is beyond 1,000 m"
    unit = "a quaternion's squared length is off 1 by more than 1e-4"
    return (
        {
            "batch_not_in_unitys_convention": Refused(
                patched(good, 10, "H", 2), "refuse poses without it", "not in Unity's convention"
            ),
            "batch_without_validity": Refused(
                patched(good, 56, "B", 0), "refuse a pose batch that says nothing", "without strings, tools or validity"
            ),
            "batch_without_strings": Refused(
                with_fields("pose_batch", (2, _TOOLS)), "a required field that is missing", "without strings"
            ),
            "batch_without_tools": Refused(
                with_fields("pose_batch", (1, _STRINGS)), "a required field that is missing", "without strings, tools"
            ),
            "batch_with_two_tool_tables": Refused(
                with_fields("pose_batch", (1, _STRINGS), (2, _TOOLS), (2, _TOOLS)),
                "A tag that does not repeat and comes twice is an error",
                "field 2 twice",
            ),
            "tool_without_validity": Refused(record(_SUSPECT, 10, "B", 0), code, "validity code 0"),
            "tool_of_an_unknown_validity": Refused(record(_SUSPECT, 10, "B", 5), code, "validity code 5"),
            "tool_of_no_string": Refused(record(_SUSPECT, 0, "H", 12), code, "string indices"),
            "tool_twice": Refused(record(_SUSPECT, 0, "H", 8), "each tool comes once", "a tool twice"),
            "lost_tool_with_a_pose": Refused(record(_STALE, 10, "B", 3), lost, "a lost tool with a pose"),
            "lost_tool_with_the_identity": Refused(
                record(_LOST, 11, "BfqfffffffB", 1, 0.0, 7, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0),
                lost,
                "a lost tool with",
            ),
            "valid_tool_without_a_pose": Refused(record(_SUSPECT, 10, "B", 1), valid, "a valid one without"),
            "position_without_a_pose": Refused(record(_SUSPECT, 24, "f", 0.5), zero, "zeros where there is no pose"),
            "rotation_without_a_pose": Refused(
                record(_SUSPECT, 36 + 12, "f", 1.0), zero, "zeros where there is no pose"
            ),
            "rotation_of_zeros": Refused(record(_VALID, 36, "4f", 0, 0, 0, 0), unit, "a unit quaternion"),
            "rotation_too_long": Refused(record(_VALID, 36, "4f", 0, 0, 0, 1.0001), unit, "a unit quaternion"),
            "rotation_not_finite": Refused(record(_VALID, 36, "4f", NAN, 0, 0, 1), finite, "a unit quaternion"),
            "position_too_far": Refused(record(_VALID, 24, "f", 1000.1), near, "within 1000 m"),
            "position_not_finite": Refused(record(_VALID, 28, "f", NAN), finite, "within 1000 m"),
            "position_at_infinity": Refused(record(_VALID, 32, "f", -INFINITY), finite, "within 1000 m"),
            "expected_error_not_finite": Refused(record(_VALID, 12, "f", NAN), finite, "an expected error of nan"),
            "expected_error_negative": Refused(
                record(_VALID, 12, "f", -0.5), "an expected error is negative", "an expected error of -0.5"
            ),
        }
        | tables()
        | covariances()
        | filtered()
    )


def covariances() -> dict[str, Refused]:
    strings, tools, table, reason = fields_of("pose_batch_covariances")
    rule, beside = "no covariance", "or if it is not zero where there is no pose"

    def refused(rule: str, came: str, *fields: tuple[int, bytes]) -> Refused:
        return Refused(with_fields("pose_batch_covariances", strings, *fields, reason), rule, came)

    def numbers(at: int, *values: float, rule: str = rule) -> Refused:
        changed = patched(table[1], 4 + 4 * at, f"{len(values)}f", *values)
        return refused(rule, "covariances that are none", tools, (4, changed))

    return {
        "covariance_negative": numbers(1, -0.5),
        "covariance_not_finite": numbers(2, NAN),
        "covariance_at_infinity": numbers(4, INFINITY),
        "covariance_too_large": numbers(0, 1.1e12),
        "covariance_of_more_than_its_variances": numbers(5, 0.6),
        # Each pair of axes agrees, and all three do not: two that go along with the third go against one another.
        "covariance_against_itself": numbers(0, 1.0, 1.0, 1.0, -0.9, 0.9, 0.9),
        "covariance_without_a_pose": numbers(12, 1.0, 1.0, 1.0, rule=beside),
        "covariances_of_fewer_tools": refused(
            "as many records as there are tools",
            "3 covariances of 24 bytes",
            tools,
            (4, patched(table[1], 2, "H", 3)),
        ),
        "covariances_too_short": refused(
            "24 bytes or more per record", "of 23 bytes", tools, (4, patched(table[1], 0, "H", 23))
        ),
        "covariances_beyond_the_table": refused(
            "as many records as there are tools", "in 99 bytes", tools, (4, table[1][:-1])
        ),
        "covariances_before_the_tools": refused("after the tool table", "before the tool table", table, tools),
        "covariances_twice": refused(
            "A tag that does not repeat and comes twice is an error", "field 4 twice", tools, table, table
        ),
    }


def strings(*texts: bytes) -> bytes:
    return b"".join(struct.pack("<H", len(text)) + text for text in texts)


def tables() -> dict[str, Refused]:
    head = "u16 bytes per record (56 or more)"
    frame = "A frame's name is a lower-case letter, then up to 62 lower-case letters, digits and underscores"
    named = _STRINGS.replace(strings(b"reference"), strings(b"Reference"))
    unity = _STRINGS.replace(strings(b"reference"), strings(b"unity"))
    return {
        "frame_in_capitals": Refused(batch(named), frame, "the frame 'Reference'"),
        "frame_of_unity": Refused(batch(unity), "and not `unity`", "the frame 'unity'"),
        "string_twice": Refused(batch(_STRINGS + strings(b"drill")), "none twice", "with repetitions"),
        "string_0_is_not_empty": Refused(batch(_STRINGS[2:]), "String 0 is empty", "without '' at index 0"),
        "string_cut_off": Refused(
            batch(_STRINGS[:-1]), "each u16 length and so many bytes of UTF-8 (1,024 at most)", "1 bytes too late"
        ),
        "string_that_is_no_text": Refused(
            batch(_STRINGS + strings(b"\xff")), "so many bytes of UTF-8 (1,024 at most)", "not UTF-8"
        ),
        "string_too_long": Refused(
            batch(_STRINGS + strings(b"x" * 1025)), "so many bytes of UTF-8 (1,024 at most)", "a text of 1025 bytes"
        ),
        "too_many_strings": Refused(
            batch(_STRINGS + strings(*(b"%d" % number for number in range(2048 - 11)))),
            "2,048 strings at most",
            "more than 2048 strings",
        ),
        "records_too_short": Refused(batch(tools=patched(_TOOLS, 0, "H", 55)), head, "4 tools of 55 bytes"),
        "records_beyond_the_table": Refused(
            batch(tools=patched(_TOOLS, 2, "H", 5)), "the records", "5 tools of 56 bytes"
        ),
        "too_many_tools": Refused(
            batch(tools=struct.pack("<HH", 56, MAX_TOOLS + 1) + bytes(56 * (MAX_TOOLS + 1))),
            "u16 number of records (256 at most)",
            f"{MAX_TOOLS + 1} tools",
        ),
    }


# ----------------------------------------------------------------------------------------------------------- surfaces
def surfaces() -> dict[str, Refused]:
    good, index = SURFACE.data, "Check every index against the number of vertices"
    length = "refuse another length"
    frame_at = good.index(b"ct", 56)
    return {
        "surface_of_another_kind": Refused(patched(good, 0, "4s", b"SNSX"), "`SNSF`", "begins with b'SNSX'"),
        "surface_of_another_version": Refused(
            patched(good, 4, "B", 2), "| 4 | u8 | version | 1 |", "a surface of version 2", "UnsupportedVersion"
        ),
        "surface_with_indices_of_3_bytes": Refused(patched(good, 5, "B", 3), "2 or 4", "3-byte indices"),
        "surface_cut_off": Refused(good[:-1], length, "a length that agrees"),
        "surface_with_bytes_after_it": Refused(good + b"\0", length, "a length that agrees"),
        "surface_with_an_index_too_large": Refused(patched(good, len(good) - 2, "H", 4), index, "the index 4"),
        "surface_in_no_frame": Refused(
            patched(good, frame_at, "2s", b"CT"), "A frame's name is a lower-case letter", "the frame 'CT'"
        ),
        "surface_in_no_cube": Refused(patched(good, 40, "d", NAN), "minimum, m", "a cube at"),
    } | compressed()


def compressed() -> dict[str, Refused]:
    good = COMPRESSED
    (inflated,) = struct.unpack_from("<I", good, 12)
    ends = "of exactly `bytes inflated`, which ends with the last byte"
    return {
        "compressed_of_another_version": Refused(
            patched(good, 4, "H", 2), "| 4 | u16 | version | 1 |", "version 2", "UnsupportedVersion"
        ),
        "compressed_of_another_size": Refused(
            patched(good, 12, "I", inflated + 1), "refuse another number before inflating", "unpack"
        ),
        "compressed_with_bytes_after_it": Refused(good + b"\0", ends, "a deflate stream of another size"),
        "compressed_cut_off": Refused(good[:-1], ends, "a deflate stream of another size"),
    }


def levels() -> dict[str, Refused]:
    rule = "Refuse an entry of more than 8 levels"
    manifest = other_messages()["surface_manifest_levels"]
    (entry,) = manifest.surfaces
    coarse, full = entry.levels

    def refused(came: str, part: str, *changed: m.SurfaceLevel) -> Refused:
        lying = dataclasses.replace(manifest, surfaces=(dataclasses.replace(entry, levels=changed),))
        return Refused(m.encode_message(lying, SESSION, 7), part, came, stage="levels")

    many = [dataclasses.replace(coarse, triangle_count=number) for number in range(MAX_LEVELS)]
    short = dataclasses.replace
    return {
        "levels_too_many": refused("9 of them", rule, *[short(each, triangle_count=0) for each in many[:8]], full),
        "levels_that_do_not_grow": refused(
            "do not grow", "triangles do not grow from level to level", short(coarse, triangle_count=4), full
        ),
        "levels_without_the_surface": refused(
            "not the surface itself", "whose last level differs from the entry", coarse
        ),
        "level_negative_deviation": refused(
            "cannot be", "whose deviations are negative", short(coarse, deviation_p95_mm=-1.0), full
        ),
        "level_p95_beyond_max": refused("cannot be", "p95 beyond max", short(coarse, deviation_p95_mm=8.0), full),
        "level_form_without_its_size": refused(
            "a compressed form without its size",
            "a hash of a form without its size",
            coarse,
            short(full, compressed_byte_count=0),
        ),
        "level_size_without_its_form": refused(
            "a GLB without its size",
            "a hash of a form without its size or the reverse",
            coarse,
            short(full, glb_sha256=None),
        ),
    }


def build_refused() -> dict[str, Refused]:
    """Every message that must be refused, by name."""
    return headers() | fields() | positions() | observations() | poses() | surfaces() | levels()


def main() -> None:
    REFUSED.mkdir(parents=True, exist_ok=True)
    for name, each in build_refused().items():
        (REFUSED / f"{name}.bin").write_bytes(each.data)
        text = json.dumps(each.told(), indent=1, ensure_ascii=False)
        (REFUSED / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
