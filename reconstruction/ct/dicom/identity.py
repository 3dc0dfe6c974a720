"""The words by which DICOM headers identify the patient, so that none of them is written into a case."""

from __future__ import annotations

import re
from pathlib import Path

from case.names import in_ascii
from reconstruction.ct.dicom.files import errors_of_broken, is_dicom, list_files, open_dataset, quiet_pydicom

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
    except errors_of_broken():  # the reader reports broken files
        return frozenset()
    return frozenset(word for word in words if len(word) >= SHORTEST or not word.isascii())


def _words_of_header(path: Path) -> set[str]:
    if not is_dicom(path):
        return set()
    dataset = open_dataset(path, [*IDENTIFYING_TAGS, "SOPClassUID"])
    values = () if dataset is None else (str(dataset.get(tag) or "") for tag in IDENTIFYING_TAGS)
    return {word for value in values for word in words_of(value)}


def words_of(text: str) -> set[str]:
    """In lower case, as they are and without accents."""
    folded = {text.casefold(), in_ascii(text)}
    return {word for form in folded for word in re.split(r"[\W_]+", form)} - {""}
