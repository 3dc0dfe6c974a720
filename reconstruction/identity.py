"""A case without the patient's identity: the CT as NIfTI, no path of where it came from, and no name in any name.

Nothing that SurgNav writes into a case comes from a header's identifying attributes. What a person typed, though, may:
the name of the case, of a structure, of a mask's file. So these are held against the CT's headers before the case
appears.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from reconstruction.ct.dicom.files import BROKEN, is_dicom, list_files, open_dataset, quiet_pydicom
from reconstruction.errors import IdentityError
from reconstruction.labels.segments import in_ascii
from reconstruction.network.classes import CLASSES

IDENTIFYING_TAGS = [
    *("PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName"),
    *("PatientMotherBirthName", "PatientBirthDate", "AccessionNumber"),
]
SHORTEST = 3  # initials and single digits are in every word


def identifying_words(ct_path: Path) -> frozenset[str]:
    """Words in lower case of what DICOM headers say about who the patient is; empty for other formats."""
    return frozenset(word for path in list_files(ct_path) for word in words_of_file(path))


def words_of_file(path: Path) -> frozenset[str]:
    """As `identifying_words`, of one file."""
    try:
        with quiet_pydicom():
            words = _words_of_header(path)
    except BROKEN:  # the door speaks about broken files
        return frozenset()
    return frozenset(word for word in words if len(word) >= SHORTEST or not word.isascii())


def _words_of_header(path: Path) -> set[str]:
    if not is_dicom(path):
        return set()
    dataset = open_dataset(path, [*IDENTIFYING_TAGS, "SOPClassUID"])
    values = () if dataset is None else (str(dataset.get(tag) or "") for tag in IDENTIFYING_TAGS)
    return {word for value in values for word in _words(value)}


def check_no_identity(texts: Iterable[str], words: frozenset[str]) -> None:
    """Raises `IdentityError` where a text that would be written bears one of `words`; it does not repeat the text."""
    for number, text in enumerate(texts, start=1):
        if text not in CLASSES and any(word in part for word in words for part in _words(text)):
            raise IdentityError(
                f"a name of the case, or of a structure, that bears the patient's identity (name {number})",
                "names that say nothing about the patient",
                "choose another --name, or give the structures other names with --label-names",
            )


def _words(text: str) -> set[str]:
    """In lower case, as they are and without accents."""
    folded = {text.casefold(), in_ascii(text)}
    return {word for form in folded for word in re.split(r"[\W_]+", form)} - {""}
