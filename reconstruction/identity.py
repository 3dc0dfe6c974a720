"""A case without the patient's identity: the CT as NIfTI, no path of where it came from, and no name in any name.

Nothing that SurgNav writes into a case comes from a header's identifying attributes. What a person typed, though, may:
the name of the case, of a structure, of a mask's file. So these are held against the CT's headers before the case
appears.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconstruction.ct.dicom.identity import words_of
from reconstruction.errors import IdentityError
from reconstruction.network.classes import CLASSES


def check_no_identity(texts: Iterable[str], words: frozenset[str]) -> None:
    """Raises `IdentityError` where one of `texts` contains one of `words`; the message does not repeat the text."""
    for number, text in enumerate(texts, start=1):
        if text not in CLASSES and any(word in part for word in words for part in words_of(text)):
            raise IdentityError(
                f"a name of the case, or of a structure, that bears the patient's identity (name {number})",
                "names that say nothing about the patient",
                "choose another --name, or give the structures other names with --label-names",
            )
