"""Names and times of the objects: made from what they hold, so that the same result is the same object.

An archive takes an object of the same SOP Instance UID for the one that it has, so that nothing is there twice however
often a case is sent. UIDs are those of UUIDs (DICOM PS3.5 B.2), version 5 of what they name.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

MANUFACTURER, MODEL = "SurgNav project", "SurgNav"
SERIAL_NUMBER = "none"
_NAMESPACE = uuid.UUID("6d0f2f0e-5a55-4c8b-9c5f-3c6d0cbf6b1e")


def uid_of(*parts: str) -> str:
    """The UID of what these texts name together."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, chr(31).join(parts)).int}"


def stamp(dataset: Any, time: str) -> None:
    """Dates an object by the time at which what it holds was made, ISO 8601 with a time zone.

    What highdicom drew by chance or took from the clock is replaced as well, so that equal objects are equal bytes.
    """
    moment = datetime.fromisoformat(time)
    date, clock = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S.%f")
    for name in ("ContentDate", "InstanceCreationDate", "SeriesDate"):
        setattr(dataset, name, date)
    for name in ("ContentTime", "InstanceCreationTime", "SeriesTime"):
        setattr(dataset, name, clock)
    dataset.TimezoneOffsetFromUTC = moment.strftime("%z")
    for equipment in dataset.get("ContributingEquipmentSequence", ()):
        equipment.ContributionDateTime = f"{date}{clock}"
    for name in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in dataset.get(name, ()):
            item.DimensionOrganizationUID = uid_of("dimensions", str(dataset.SOPInstanceUID))
