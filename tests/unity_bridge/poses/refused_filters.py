"""Golden messages with filtered tools that must be refused."""

import struct

from tests.unity_bridge.wire.golden_vectors import header_and_tools
from tests.unity_bridge.wire.one_mistake import Refused, fields_of, patched, with_fields
from unity_bridge.wire.envelope import Validity

NAN = float("nan")


def filtered() -> dict[str, Refused]:
    strings, tools, errors, table = fields_of("pose_batch_filtered")
    rule, what = "Refuse what a filter cannot have made", "a delay of"

    def refused(rule: str, came: str, *fields: tuple[int, bytes]) -> Refused:
        return Refused(with_fields("pose_batch_filtered", strings, *fields), rule, came)

    def numbers(at: int, kind: str, *values: float, came: str = what, rule: str = rule) -> Refused:
        return refused(rule, came, tools, errors, (5, patched(table[1], at, kind, *values)))

    return {
        "filtered_delay_not_finite": numbers(8, "f", NAN),
        "filtered_delay_negative": numbers(8, "f", -1.0),
        "filtered_prediction_too_long": numbers(12, "f", 1000.5),
        "filtered_raw_no_rotation": numbers(28, "4f", 0.0, 0.0, 0.0, 0.0, came="a measured pose"),
        "filtered_raw_too_far": numbers(16, "f", 1000.1, came="a measured pose"),
        "filtered_tool_not_there": numbers(4, "H", 250, came="tool 250 filtered"),
        "filtered_tool_not_valid": numbers(4, "H", not_valid(), came=f"tool {not_valid()} filtered"),
        "filtered_tool_twice": refused(
            rule,
            "filtered",
            tools,
            errors,
            (5, struct.pack("<HH", 40, 2) + table[1][4:] + table[1][4:]),
        ),
        "filtered_too_short": numbers(0, "H", 39, came="of 39 bytes", rule="40 bytes or more per record"),
        "filtered_beyond_the_table": refused(
            "40 bytes or more per record", "filtered tools of 40 bytes", tools, errors, (5, table[1][:-1])
        ),
        "filtered_without_a_head": refused(
            "40 bytes or more per record", "filtered table of 3 bytes", tools, errors, (5, table[1][:3])
        ),
        "filtered_before_the_tools": refused(
            "after the tool table and the covariances", "these tables first", table, tools, errors
        ),
        "filtered_before_the_covariances": refused(
            "after the tool table and the covariances", "these tables first", tools, table, errors
        ),
    }


def not_valid() -> int:
    tools = header_and_tools()[1]
    return next(index for index, each in enumerate(tools) if each.validity is not Validity.VALID)
