"""The doctor's findings as values; `navigation.commands.doctor.screen` shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

Values = Mapping[str, str | int | float | None]


class Status(StrEnum):
    """How good a finding is: with `warn` SurgNav works more slowly or with fewer features, with `fail` it does not."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"

    @property
    def severity(self) -> int:
        return list(Status).index(self)


@dataclass(frozen=True)
class Finding:
    """One thing that was examined.

    Attributes:
        group: its group on the screen: machine, software, inference or live.
        name: what was examined.
        status: ok, warn or fail.
        found: what was found, in words and with units.
        action: what to do about it; empty exactly if the status is ok.
        values: the same as numbers for the JSON file, with units in the names.

    Raises:
        ValueError: a status of ok with an action, or another status without one.
    """

    group: str
    name: str
    status: Status
    found: str
    action: str = ""
    values: Values = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.action) == (self.status is Status.OK):
            raise ValueError(
                f"Got {self.name} with status {self.status} and the action {self.action!r}; expected an action exactly "
                "where the status is not ok. Fix: correct the check."
            )
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    @staticmethod
    def judged(group: str, name: str, good: bool, found: str, action: str, values: Values) -> Finding:
        """A finding with the status ok if `good`; otherwise a warning with the `action`."""
        if good:
            return Finding(group, name, Status.OK, found, values=values)
        return Finding(group, name, Status.WARN, found, action, values)


@dataclass(frozen=True)
class DoctorReport:
    """All findings, in the order of examination."""

    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status:
        """The worst status of the findings."""
        return max((finding.status for finding in self.findings), key=lambda status: status.severity)

    def to_json(self) -> dict[str, object]:
        """The report as plain values for `json.dumps`."""
        return {
            "status": self.status.value,
            "findings": [
                {
                    "group": finding.group,
                    "name": finding.name,
                    "status": finding.status.value,
                    "found": finding.found,
                    "action": finding.action,
                    "values": dict(finding.values),
                }
                for finding in self.findings
            ],
        }
