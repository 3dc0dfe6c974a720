"""Whatever goes wrong on the way to a device is a state with its reason, and ends with its cause, without a restart."""

from __future__ import annotations

import pytest

from tests.navigation.devices.ndi.lab import Fake
from tests.navigation.devices.ndi.watched import CONNECTED, GONE, watched

# Command, what the device does to it each time, connection, reason. Before tracking begins:
WHILE_CONNECTING = [
    ("INIT", "silence", "no answer to INIT within"),
    ("INIT", "garbage", "an answer that is garbage"),
    ("INIT", "wrong checksum", "an answer with a wrong checksum"),
    ("INIT", "a part", "a part of an answer to INIT, .*, and no more within"),
    ("INIT", "another device", "an answer with a wrong checksum: 'HTTP/1.1 400"),
    ("INIT", "endless", "an answer without an end"),
    ("INIT", "nonsense", "'NONSENSE' in answer to INIT"),
    ("INIT", "cut", "connection refused"),
    ("INIT", "reset", "the device was reset"),
    ("INIT", "ERROR04", "ERROR04 in answer to INIT: the checksum of the command was wrong when it arrived"),
    ("INIT", "ERROR05", "ERROR05 in answer to INIT: the device took too long"),
    ("INIT", "ERROR15", "ERROR15 in answer to INIT: the device cannot initialise its measurement system"),
    ("INIT", "ERROR1A", "ERROR1A in answer to INIT: internal error of the device"),
    ("INIT", "ERROR2E", "ERROR2E in answer to INIT: firmware versions that do not fit"),
    ("INIT", "ERRORZZ", "the answer 'ERRORZZ'"),
    ("INIT", "ERROR77", "ERROR77 in answer to INIT: a code that the guide does not name"),
    ("PHSR", "ERROR07", "ERROR07 in answer to PHSR: wrong number of parameters"),
    ("PHSR", "nonsense", "an answer to PHSR that is none"),
    ("PHRQ", "ERROR2D", "no tool that can be tracked: reference: ERROR2D in answer to PHRQ"),
    ("PHRQ", "nonsense", "an answer to PHRQ that is none"),
    ("PVWR", "ERROR04", "no tool that can be tracked: reference: ERROR04 in answer to PVWR"),
    ("PVWR", "silence", "no answer to PVWR"),
    ("PINIT", "ERROR13", "no tool that can be tracked: reference: ERROR13 in answer to PINIT"),
    ("PENA", "ERROR0E", "no tool that can be tracked: reference: ERROR0E in answer to PENA"),
    ("TSTART", "ERROR12", "ERROR12 in answer to TSTART: the device cannot start tracking"),
    ("TSTART", "ERROR22", "ERROR22 in answer to TSTART: no camera parameters for the wavelength"),
    ("TSTART", "ERROR39", "ERROR39 in answer to TSTART: permission denied: another program is the device's master"),
    ("TSTART", "reset", "the device was reset"),
]
# And while it tracks:
WHILE_TRACKING = [
    ("BX", "silence", "no answer to BX within"),
    ("BX", "garbage", "an answer that is garbage|whose header is wrong"),
    ("BX", "wrong checksum", "an answer with a wrong checksum"),
    ("BX", "wrong header", "an answer whose header is wrong"),
    ("BX", "a part", "a part of an answer to BX"),
    ("BX", "nonsense", "an answer to BX that is none"),
    ("BX", "endless", "an answer without an end"),
    ("BX", "another device", "'HTTP/1.1 400"),
    ("BX", "cut", "connection refused"),
    ("BX", "reset", "the device was reset"),
    ("BX", "ERROR05", "ERROR05 in answer to BX: the device took too long"),
    ("BX", "ERROR0C", "ERROR0C in answer to BX: the command is not valid in the mode"),
    ("BX", "ERROR0F", "ERROR0F in answer to BX: the port handle is not enabled"),
    ("BX", "ERROR10", "ERROR10 in answer to BX: the system is not initialised"),
    ("BX", "ERROR1A", "ERROR1A in answer to BX: internal error of the device"),
    ("BX", "ERROR2C", "ERROR2C in answer to BX: the port handle has become unoccupied"),
    ("BX", "ERRORF1", "ERRORF1 in answer to BX: too much infrared light around"),
]
# Bits of the system's status: it goes on tracking, and says so.
SYSTEM = [
    (0x0001, "the parts of the device are out of step"),
    (0x0002, "too much infrared light around"),
    (0x0004, "transmission errors within the device"),
    (0x0008, "the device had a processing error, and recovered"),
    (0x0010, "the device's hardware failed"),
    (0x0020, "the device's hardware was changed, or a field generator taken off"),
    (0x0100, "the device asks to be diagnosed: it may have been bumped"),
    (0x0200, "the device is too cold or too warm"),
    (0x0400, "the device's parts were changed"),
]


@pytest.fixture(autouse=True)
def healed(request):
    yield
    for kind in ("network", "serial"):
        if kind in request.fixturenames:
            request.getfixturevalue(kind).tell(heal=True)


@pytest.fixture(scope="module")
def over_network(network, tmp_path_factory):
    """One tracker that goes on through all faults."""
    with watched(network.settings(reply_s=0.3), tmp_path_factory.mktemp("network")) as watching:
        yield watching


@pytest.fixture(scope="module")
def over_serial(serial, tmp_path_factory):
    with watched(serial.settings(reply_s=0.3), tmp_path_factory.mktemp("roms")) as watching:
        yield watching


@pytest.mark.parametrize(("command", "do", "reason"), WHILE_CONNECTING)
def test_a_fault_before_tracking_is_a_reason_and_is_over_with_its_cause(network, over_network, command, do, reason):
    over_network.tracks()
    network.tell(on=command, do=do, times=10**9)
    network.tell(hang_up=True)
    over_network.becomes(GONE, reason)
    heal(network, do)
    over_network.tracks()


@pytest.mark.parametrize(("command", "do", "reason"), WHILE_TRACKING)
def test_a_fault_while_tracking_is_a_reason_and_is_over_with_its_cause(network, over_network, command, do, reason):
    over_network.tracks()
    network.tell(on=command, do=do, times=10**9)
    over_network.becomes(GONE, reason)
    heal(network, do)
    over_network.tracks()


@pytest.mark.parametrize(
    ("command", "do", "reason"),
    [
        ("INIT", "silence", "no answer to INIT within"),
        ("BX", "silence", "no answer to BX within"),
        ("BX", "a part", "a part of an answer to BX"),
        ("BX", "wrong checksum", "an answer with a wrong checksum"),
        ("BX", "garbage", "an answer that is garbage|whose header is wrong"),
        ("BX", "cut", "which cannot be opened: no such file or directory"),
        ("BX", "reset", "the device was reset"),
        ("BX", "ERROR0C", "ERROR0C in answer to BX"),
        ("COMM", "ERROR06", "ERROR06 in answer to COMM: the device cannot set the communication up as asked"),
        ("COMM", "nonsense", "'NONSENSE' in answer to COMM"),
    ],
)
def test_faults_of_serial_lines(serial, over_serial, command, do, reason):
    over_serial.tracks()
    serial.tell(on=command, do=do, times=10**9)
    if command != "BX":
        serial.tell(reset=False)
    over_serial.becomes(GONE, reason)
    heal(serial, do)
    over_serial.tracks()


def test_a_serial_port_at_which_nobody_answers(serial, over_serial):
    over_serial.tracks()
    serial.tell(set="mute", to=True)
    over_serial.becomes(GONE, "no answer to a serial break within")
    serial.tell(heal=True)
    over_serial.tracks()


@pytest.mark.parametrize("do", ["wrong checksum", "garbage", "wrong header"])
def test_one_spoilt_reply_is_said_and_the_connection_kept(network, over_network, do):
    over_network.tracks()
    network.tell(on="BX", do=do, times=1)
    over_network.becomes(CONNECTED, "an answer")
    over_network.becomes(CONNECTED, "^$")
    over_network.tracks()


@pytest.mark.parametrize("do", ["twice", "in pieces"])
def test_replies_in_pieces_or_repeated_are_no_fault(network, over_network, do):
    over_network.tracks()
    network.tell(on="BX", do=do, times=10**9)
    for _ in range(5):
        over_network.tracks()
    over_network.becomes(CONNECTED, "^$")


@pytest.mark.parametrize(("bit", "reason"), SYSTEM)
def test_what_the_system_says_is_shown_while_it_tracks(network, over_network, bit, reason):
    over_network.tracks()
    network.tell(set="system_bits", to=bit)
    over_network.becomes(CONNECTED, reason)
    over_network.tracks()
    network.tell(heal=True)
    over_network.becomes(CONNECTED, "^$")


@pytest.mark.parametrize("code", ["01", "02", "03", "04", ""])
def test_warnings_are_shown(network, over_network, code):
    over_network.tracks()
    network.tell(on="PENA", do=f"WARNING{code}", times=1)
    network.tell(hang_up=True)
    over_network.becomes(CONNECTED, r"\(answer to PENA\)")
    over_network.tracks()


@pytest.fixture(params=["network", "serial"])
def both(request):
    """The fake and the tracker that goes on through all faults, on either line."""
    return request.getfixturevalue(request.param), request.getfixturevalue(f"over_{request.param}")


def test_a_device_that_is_switched_off_and_on_is_set_up_anew(both):
    fake, watching = both
    watching.tracks()
    fake.tell(reset=False)
    watching.becomes(GONE, "ERROR10 in answer to BX|no answer to BX")
    watching.tracks()


def test_a_cable_that_is_cut_and_mended(both):
    fake, watching = both
    watching.tracks()
    fake.tell(cut=True)
    watching.becomes(GONE, "refused" if fake.kind == "network" else "no such file or directory")
    fake.tell(mend=True)
    watching.tracks()


def test_a_device_that_another_program_left_tracking_is_taken_over(network, over_network):
    over_network.tracks()
    network.tell(on="TSTOP", do="silence", times=1)
    network.tell(hang_up=True)
    over_network.tracks()


def heal(fake: Fake, do: str) -> None:
    fake.tell(heal=True)
    if do == "cut":
        fake.tell(mend=True)
