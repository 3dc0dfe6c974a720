"""Key files, enrolment texts and the allow list: what is written can be read, and nothing half or wrong is taken."""

import base64
import hashlib
import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unity_bridge.errors import KeyFileError
from unity_bridge.transport.allow_list import AllowedClient, AllowList, load_allow_list, save_allow_list
from unity_bridge.transport.keys import (
    Enrolment,
    KeyPair,
    check_key,
    check_name,
    fingerprint,
    load_key_pair,
    read_private,
    save_key_pair,
)

# The server's pair in the manual of zmq_curve, which gives the public key in hexadecimal too.
PUBLIC_HEX = "BB88471D65E2659B30C55A5321CEBB5AAB2B70A398645C26DCA2B2FCB43FC518"
PUBLIC = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
SECRET = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
SERVER = KeyPair(PUBLIC, SECRET)


def enrolment(**changes) -> Enrolment:
    given = {"name": "headset-1", "hosts": ("192.168.1.10", "surgnav.example.org"), "server_public": PUBLIC}
    return Enrolment(**given | {"poses": 5570, "surfaces": 5571, "control": 5572, "secret": SECRET} | changes)


def client(name: str, public: str, **times) -> AllowedClient:
    return AllowedClient(name=name, public_key=public, **{"enrolled_s": 1} | times)


def test_the_public_half_follows_from_the_secret():
    """The manual's own pair."""
    assert KeyPair.of_secret(SECRET) == SERVER
    assert KeyPair.new() != KeyPair.new()


def test_secrets_are_never_printed():
    assert SECRET not in repr(SERVER) + repr(enrolment()) + repr(enrolment().client_keys)


def test_fingerprints_are_of_the_raw_key():
    assert fingerprint(PUBLIC).replace("-", "") == hashlib.sha256(bytes.fromhex(PUBLIC_HEX)).hexdigest()[:16]
    assert fingerprint(PUBLIC) == "ebb3-af4d-d99c-eff3"


@pytest.mark.parametrize(
    "key", ["", PUBLIC[:-1], PUBLIC + "a", PUBLIC[:-1] + "ä", PUBLIC[:-1] + '"', "~" * 40, "#" * 40]
)
def test_what_is_no_key_is_refused(key):
    with pytest.raises(KeyFileError, match="40 characters"):
        check_key(key)


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "../x", "x" * 64, "na\nme", "näme"])
def test_names_that_could_mislead_are_refused(name):
    with pytest.raises(KeyFileError, match="name"):
        check_name(name)


# ---------------------------------------------------------------------------------------------------------------- files
def test_a_private_file_is_private_and_never_overwritten(tmp_path):
    path = tmp_path / "keys" / "server.json"
    before = os.umask(0)  # the mode must not depend on it
    try:
        save_key_pair(SERVER, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_key_pair(path) == SERVER
    with pytest.raises(KeyFileError, match="exists already"):
        save_key_pair(KeyPair.new(), path)
    assert load_key_pair(path) == SERVER


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602, 0o620])
def test_a_private_file_that_others_can_touch_is_not_used(tmp_path, mode):
    path = tmp_path / "server.json"
    save_key_pair(SERVER, path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_key_pair(path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "{}", json.dumps({"secret_key": SECRET}), json.dumps({"secret_key": 3, "public_key": 3})],
)
def test_a_damaged_key_file_is_refused(tmp_path, text):
    path = tmp_path / "server.json"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        load_key_pair(path)


def test_halves_that_do_not_belong_together_are_refused(tmp_path):
    path = tmp_path / "server.json"
    save_key_pair(KeyPair(KeyPair.new().public, SECRET), path)
    with pytest.raises(KeyFileError, match="damaged"):
        load_key_pair(path)


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(KeyFileError, match="surgnav keys new"):
        read_private(tmp_path / "nothing")


# ----------------------------------------------------------------------------------------------------------- enrolment
def test_an_enrolment_reads_as_the_page_says():
    assert enrolment(hosts=("10.0.0.2",), expires_s=1_800_000_000).to_text() == (
        "surgnav:1?name=headset-1&host=10.0.0.2&poses=5570&surfaces=5571&control=5572"
        "&server=u4hHHWXiZZswxVpTIc67WqsrcKOYZFwm3KKy_LQ_xRg"
        "&secret=e7hktImvo2cfvmkQH5SziXLySBbfsBtRZWs_7I39CIg&expires=1800000000"
    )
    raw = base64.urlsafe_b64decode("u4hHHWXiZZswxVpTIc67WqsrcKOYZFwm3KKy_LQ_xRg=")
    assert raw == bytes.fromhex(PUBLIC_HEX)


@given(
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", fullmatch=True),
    hosts=st.lists(st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1), min_size=1, max_size=3),
    secret=st.sampled_from(["", SECRET]),
    expires_s=st.none() | st.integers(0, 2**40),
    ports=st.tuples(*[st.integers(1, 65_535)] * 3),
)
def test_what_is_written_is_read(name, hosts, secret, expires_s, ports):
    poses, surfaces, control = ports
    given = enrolment(name=name, hosts=tuple(hosts), secret=secret, expires_s=expires_s)
    given = enrolment(**given.__dict__ | {"poses": poses, "surfaces": surfaces, "control": control})
    assert Enrolment.from_text(given.to_text()) == given


def test_later_versions_may_add_and_order_differently():
    text = enrolment(hosts=("a",)).to_text()
    head, body = text.split("?")
    turned = "&".join(reversed(body.split("&")))
    assert Enrolment.from_text(f" {head}?colour=blue&{turned}\n") == enrolment(hosts=("a",))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text.replace("surgnav:1", "surgnav:2"),
        lambda text: text[:-60],
        lambda text: text.replace("&control=5572", ""),
        lambda text: text.replace("host=", "guest="),
        lambda text: text + "&poses=1",
        lambda text: text.replace("5570", "0"),
        lambda text: text.replace("5570", "70000"),
        lambda text: text.replace("5570", "٣"),
        lambda text: text.replace("headset-1", "a%0Ab"),
        lambda text: text.replace("server=", "server=AA"),
        lambda text: text.replace("server=", "server=*"),
        lambda text: text + "&expires=soon",
        lambda text: text + "&x=1" * 100,
        lambda text: text + "x" * 5000,
    ],
)
def test_what_is_no_enrolment_is_refused(change):
    with pytest.raises(KeyFileError):
        Enrolment.from_text(change(enrolment().to_text()))


@given(st.text(max_size=300))
def test_any_text_is_an_enrolment_or_refused(text):
    for candidate in (text, "surgnav:1?" + text):
        with pytest.raises(KeyFileError):
            Enrolment.from_text(candidate)


def test_an_enrolment_without_secret_is_no_key():
    with pytest.raises(KeyFileError, match="secret"):
        _ = enrolment(secret="").client_keys


# ---------------------------------------------------------------------------------------------------------- allow list
def test_the_list_is_written_whole_and_read_back(tmp_path):
    path = tmp_path / "clients.json"
    assert load_allow_list(path) == AllowList()
    allowed = AllowList().enroll(client("one", PUBLIC)).enroll(client("two", KeyPair.new().public, expires_s=9))
    save_allow_list(allowed, path)
    assert load_allow_list(path) == allowed
    save_allow_list(allowed.revoke("two", 5), path)
    assert [entry.revoked_s for entry in load_allow_list(path).clients] == [None, 5]
    assert [found.name for found in tmp_path.iterdir()] == ["clients.json"]  # no temporary file stays


def test_each_key_has_its_answer():
    expiring, revoked = KeyPair.new().public, KeyPair.new().public
    allowed = AllowList().enroll(client("a", PUBLIC)).enroll(client("b", expiring, expires_s=100))
    allowed = allowed.enroll(client("c", revoked)).revoke("c", 7)
    assert allowed.refusal(PUBLIC, 1e12) == allowed.refusal(expiring, 99.9) == ""
    assert allowed.refusal(expiring, 100.0) == f"expired key {fingerprint(expiring)} of 'b'"
    assert allowed.refusal(revoked, 0.0) == f"revoked key {fingerprint(revoked)} of 'c'"
    stranger = KeyPair.new().public
    assert allowed.refusal(stranger, 0.0) == f"unknown key {fingerprint(stranger)}"
    assert allowed.next_change_s(99.0) == 100
    assert allowed.next_change_s(100.0) == float("inf")


def test_names_and_keys_come_once_and_revoked_keys_never_again():
    allowed = AllowList().enroll(client("a", PUBLIC))
    with pytest.raises(KeyFileError, match="taken"):
        allowed.enroll(client("a", KeyPair.new().public))
    with pytest.raises(KeyFileError, match="enrolled for 'a'"):
        allowed.enroll(client("b", PUBLIC))
    revoked = allowed.revoke("a", 5)
    with pytest.raises(KeyFileError, match="enrolled for 'a'"):
        revoked.enroll(client("b", PUBLIC))
    assert revoked.enroll(client("a", KeyPair.new().public)).clients[0].revoked_s == 5  # the name is free again
    for name in ("a", "nobody"):
        with pytest.raises(KeyFileError, match="keys list"):
            revoked.revoke(name, 6)


GOOD = {"name": "a", "public_key": PUBLIC, "enrolled_s": 1}


@pytest.mark.parametrize(
    "found",
    [
        [],
        {"version": 2, "clients": []},
        {"version": 1},
        {"version": 1, "clients": [3]},
        {"version": 1, "clients": [GOOD, GOOD]},
        {"version": 1, "clients": [GOOD | {"name": "a b"}]},
        {"version": 1, "clients": [GOOD | {"public_key": "short"}]},
        {"version": 1, "clients": [GOOD | {"revoked_s": "yesterday"}]},
        {"version": 1, "clients": [GOOD | {"enrolled_s": None}]},
        {"version": 1, "clients": [{"name": "a", "public_key": PUBLIC}]},
    ],
)
def test_a_damaged_list_is_refused(tmp_path, found):
    path = tmp_path / "clients.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(KeyFileError):
        load_allow_list(path)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_list_that_is_no_json_is_refused(tmp_path, content):
    path = tmp_path / "clients.json"
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match="repair"):
        load_allow_list(path)
