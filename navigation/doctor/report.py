"""The doctor's findings as values; drawing them is `navigation.doctor.screen`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

Values = Mapping[str, str | int | float | None]


class Status(StrEnum):
    """How good a finding is: `warn` still works, slower or with less; `fail` does not."""

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
        group: where it belongs on the screen: machine, software, inference, live.
        name: what was examined.
        status: ok, warn or fail.
        found: what there is, in words and with units.
        action: what to do about it; empty exactly when the status is ok.
        values: the same as numbers, units in the names; for the JSON file.
    """

    group: str
    name: str
    status: Status
    found: str
    action: str = ""
    values: Values = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.action) == (self.status is Status.OK):
            raise ValueError(f"{self.name} is {self.status} with the action {self.action!r}: only trouble has one")
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    @staticmethod
    def judged(group: str, name: str, good: bool, found: str, action: str, values: Values) -> Finding:
        """Ok where `good`; otherwise a warning with the `action`."""
        if good:
            return Finding(group, name, Status.OK, found, values=values)
        return Finding(group, name, Status.WARN, found, action, values)


@dataclass(frozen=True)
class DoctorReport:
    """Everything that was found, in the order of examination."""

    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status:
        """The worst of the findings."""
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
