"""The header of a PLUS sequence: what is read, and that no damage gives another error than ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navigation.devices.ultrasound.plus.header import read_header
from navigation.devices.ultrasound.plus.sequence import PlusSequence
from navigation.errors import DeviceError
from tests.navigation.devices.ultrasound.plus.made_sequence import header_text, made_images, write_sequence


def test_the_header_has_the_fields_of_the_sequence_and_of_each_frame(tmp_path: Path):
    path = write_sequence(tmp_path / "a.mha", frame_fields={1: {"Depth": "60"}})
    header = read_header(path)
    assert (header.width, header.height, len(header.frames)) == (8, 6, 3)
    assert header.fields["Kinds"] == "domain domain list"
    assert header.frames[1]["Depth"] == "60"
    assert "Depth" not in header.frames[0]
    assert header.data_offset == len(path.read_bytes()) - made_images().nbytes


@pytest.mark.parametrize(
    "changes",
    [{"DimSize": "8 6 1 3", "Kinds": "domain domain domain list"}, {"Kinds": None}, {"Kinds": "domain domain time"}],
)
def test_other_ways_to_say_the_same(tmp_path: Path, changes: dict[str, str | None]):
    header = read_header(write_sequence(tmp_path / "a.mha", changes=changes))
    assert (header.width, header.height, len(header.frames)) == (8, 6, 3)


def test_windows_line_ends_are_read(tmp_path: Path):
    text = header_text(made_images()).replace("\n", "\r\n")
    (tmp_path / "a.mha").write_bytes(text.encode() + made_images().tobytes())
    assert PlusSequence(tmp_path / "a.mha").frame(0).pixels.tobytes() == made_images()[0].tobytes()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("ObjectType = Image", "ObjectType = Scene", "in its first line"),
        ("ElementDataFile = LOCAL\n", "", "the line '"),
        ("NDims = 3", "NDims", "the line 'NDims'"),
        ("NDims = 3", "NDims = \x1b[2J", r"the line 'NDims = \\x1b"),
        ("NDims = 3", f"NDims = {'3' * 20_000}", "the line 'NDims = 333"),
        ("NDims = 3", "NDims = 3\nNDims = 3", "NDims twice"),
        ("Seq_Frame0001_", "Seq_Frame0000_", "twice"),
        ("Seq_Frame0002_", "Seq_Frame0007_", "up to number 7"),
        ("DimSize = 8 6 3", "DimSize = 8 6 4", "4 frames by its DimSize and fields of 3"),
        ("DimSize = 8 6 3", "DimSize = 8 6", "DimSize = 8 6"),
        ("DimSize = 8 6 3", "DimSize = 8 6 -3", "DimSize = 8 6 -3"),
        ("domain domain list", "domain domain domain", "a volume or another order"),
        ("domain domain list", "list domain domain", "a volume or another order"),
        ("Seq_Frame", "Other", "a volume"),
        ("ElementDataFile = LOCAL", "ElementDataFile = ../other.raw", "a file that lies beside it"),
        ("ElementDataFile = LOCAL", "ElementDataFile = /etc/passwd", "a file that lies beside it"),
        ("ElementDataFile = LOCAL", f"ElementDataFile = {'a' * 3000}", "a file that lies beside it"),
        ("ElementDataFile = LOCAL", "ElementDataFile = LIST", "a file that lies beside it"),
    ],
)
def test_a_damaged_header_is_refused_in_words(tmp_path: Path, old: str, new: str, words: str):
    text = header_text(made_images())
    assert old in text
    (tmp_path / "a.mha").write_bytes(text.replace(old, new).encode() + made_images().tobytes())
    with pytest.raises(DeviceError, match=words):
        read_header(tmp_path / "a.mha")


def test_a_header_that_is_cut_short_is_refused(tmp_path: Path):
    text = header_text(made_images())
    for end, words in ((text.index("ElementDataFile"), "ends before its ElementDataFile"), (-5, "the line 'Element")):
        (tmp_path / "a.mha").write_text(text[:end])
        with pytest.raises(DeviceError, match=words):
            read_header(tmp_path / "a.mha")


def test_a_sequence_of_volumes_is_refused(tmp_path: Path):
    changes = {"DimSize": "8 2 3 3", "Kinds": "domain domain domain list"}
    with pytest.raises(DeviceError, match="a sequence of volumes"):
        read_header(write_sequence(tmp_path / "a.mha", changes=changes))


def test_what_is_no_sequence_is_refused(tmp_path: Path):
    for content, words in ((b"", "ends before"), (b"\x89PNG\r\n\x1a\n", "the line"), (bytes(50_000), "the line")):
        (tmp_path / "a.mha").write_bytes(content)
        with pytest.raises(DeviceError, match=words):
            read_header(tmp_path / "a.mha")
    with pytest.raises(DeviceError, match="not there"):
        read_header(tmp_path / "b.mha")
    with pytest.raises(DeviceError, match="no file"):
        read_header(tmp_path)


WHOLE = header_text(made_images(), packed=150)
LINES = WHOLE.splitlines()


@given(st.data())
def test_no_damage_gives_another_error_than_ours(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    """Bytes changed anywhere, lines lost, doubled or rewritten, and the file cut short."""
    path = write_sequence(tmp_path_factory.mktemp("damaged") / "a.mha", compressed=data.draw(st.booleans()))
    content = bytearray(path.read_bytes())
    positions = st.integers(0, len(content) - 1)
    for at, value in data.draw(st.lists(st.tuples(positions, st.integers(0, 255)), max_size=8)):
        content[at] = value
    open_and_read(path, bytes(content[: data.draw(st.one_of(st.just(len(content)), positions))]))


VALUES = st.one_of(
    st.sampled_from(["", "0", "-1", "1e999", "nan", "True", "LOCAL", "OK", "8 6 3", "0 0 0", "XX", "a.mha"]),
    st.text(max_size=20),
    st.lists(st.floats(), min_size=16, max_size=16).map(lambda values: " ".join(map(str, values))),
)


@given(st.data())
def test_no_value_of_a_field_gives_another_error_than_ours(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
):
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at] = f"{lines[at].partition('=')[0]}= {data.draw(VALUES)}"
    content = "\n".join(lines).encode("utf-8", "surrogatepass") + b"\n" + made_images().tobytes()
    open_and_read(tmp_path_factory.mktemp("changed") / "a.mha", content)


def open_and_read(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        recording = PlusSequence(path)
    except DeviceError:
        return
    for index in range(len(recording)):
        frame = recording.frame(index)
        assert (frame.pixels is None) == bool(frame.missing)
