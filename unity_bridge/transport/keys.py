"""Keys of the wire: key pairs (Curve25519, as CurveZMQ uses them), their files, and the enrolment of a client.

A key is 32 bytes; here and in the files it is written in Z85, 40 characters (ZeroMQ RFC 32). A private file is readable
by its owner only, and is never overwritten.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import zmq
from zmq.utils import z85

from unity_bridge.errors import KeyFileError

_SCHEME = "surgnav:1?"
_TEXT_LIMIT = 4096
_FILE_LIMIT = 65_536
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_KEY_BYTES = 32


@dataclass(frozen=True)
class KeyPair:
    """A key pair in Z85. The secret half is not part of the repr."""

    public: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> KeyPair:
        """Makes a new pair from the operating system's random numbers."""
        public, secret = zmq.curve_keypair()
        return cls(public.decode("ascii"), secret.decode("ascii"))

    @classmethod
    def of_secret(cls, secret: str) -> KeyPair:
        """The pair that a secret key belongs to.

        Raises:
            KeyFileError: not a key.
        """
        return cls(zmq.curve_public(check_key(secret).encode("ascii")).decode("ascii"), secret)


@dataclass(frozen=True, kw_only=True)
class ClientKeys:
    """What a client needs to authenticate itself and the server.

    Attributes:
        server_public: the server's public key in Z85, pinned.
        own: the client's own pair.
    """

    server_public: str
    own: KeyPair


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """What a client receives when it is enrolled: addresses, the server's key, and its own.

    Attributes:
        name: the client's name in the allow list.
        hosts: addresses or names of the server, best first.
        poses, surfaces, control: ports of the three sockets.
        server_public: the server's public key, by which the client authenticates the server.
        secret: the client's secret key; empty if the client made its key pair itself.
        expires_s: time, in seconds since 1970, from which on the server refuses this key; None if it does not expire.
    """

    name: str
    hosts: tuple[str, ...]
    poses: int
    surfaces: int
    control: int
    server_public: str
    secret: str = field(default="", repr=False)
    expires_s: int | None = None

    @property
    def client_keys(self) -> ClientKeys:
        """The keys for `ReferenceClient`.

        Raises:
            KeyFileError: the enrolment has no secret: the client made its own, and must add it.
        """
        if not self.secret:
            raise KeyFileError(
                f"the enrolment of '{self.name}' without a secret key",
                "one with the client's own secret key",
                "add &secret= with the key that belongs to the public key which was enrolled",
            )
        return ClientKeys(server_public=self.server_public, own=KeyPair.of_secret(self.secret))

    def to_text(self) -> str:
        """One line of ASCII: ``surgnav:1?name=...&host=...``, keys in URL-safe base64 without padding."""
        pairs: list[tuple[str, str | int]] = [("name", self.name), *(("host", host) for host in self.hosts)]
        pairs += [("poses", self.poses), ("surfaces", self.surfaces), ("control", self.control)]
        pairs.append(("server", _to_base64(self.server_public)))
        if self.secret:
            pairs.append(("secret", _to_base64(self.secret)))
        if self.expires_s is not None:
            pairs.append(("expires", self.expires_s))
        return _SCHEME + urlencode(pairs, safe=":")

    @classmethod
    def from_text(cls, text: str) -> Enrolment:
        """Reads the text of `to_text`; unknown entries of a later version are skipped.

        Raises:
            KeyFileError: not an enrolment, or an incomplete one.
        """
        text = text.strip()
        if not text.startswith(_SCHEME) or len(text) > _TEXT_LIMIT:
            raise _no_enrolment(f"{len(text)} characters that begin with {text[:10]!r}")
        try:
            pairs = parse_qsl(text.removeprefix(_SCHEME), strict_parsing=True, max_num_fields=32)
            hosts = tuple(value for key, value in pairs if key == "host")
            single = [pair for pair in pairs if pair[0] != "host"]
            found = dict(single)
            if len(found) != len(single) or not hosts:
                raise _no_enrolment("an enrolment without host, or with something twice")
            return cls(
                name=check_name(found["name"]),
                hosts=hosts,
                poses=_port(found["poses"]),
                surfaces=_port(found["surfaces"]),
                control=_port(found["control"]),
                server_public=_from_base64(found["server"]),
                secret=_from_base64(found["secret"]) if "secret" in found else "",
                expires_s=int(found["expires"]) if "expires" in found else None,
            )
        except (ValueError, KeyError) as error:
            raise _no_enrolment(f"an enrolment with {type(error).__name__}: {error}") from error


def fingerprint(public: str) -> str:
    """The fingerprint of a public key, such as ``3f2a-...``: the first 8 bytes of SHA-256 of its 32 bytes."""
    digest = hashlib.sha256(_raw(public)).hexdigest()[:16]
    return "-".join(digest[at : at + 4] for at in range(0, 16, 4))


def check_key(key: str) -> str:
    """Returns a key if it is valid.

    Raises:
        KeyFileError: not 40 characters of Z85.
    """
    try:
        if len(key) == 40 and len(_raw(key)) == _KEY_BYTES:
            return key
    except (ValueError, LookupError, struct.error):  # what z85 raises for invalid text
        pass
    raise KeyFileError(f"a key of {len(key)} characters", "40 characters of Z85", "copy the whole key")


def check_name(name: str) -> str:
    """Returns a client's name if it is valid, so that it can be used in files, in logs and on screens.

    Raises:
        KeyFileError: empty, too long, or with other characters than those allowed.
    """
    if not _NAME.fullmatch(name):
        raise KeyFileError(
            f"the client name {name[:70]!r}", "up to 63 letters, digits, '_', '.' and '-'", "choose another name"
        )
    return name


def save_key_pair(pair: KeyPair, path: Path) -> None:
    """Writes a private file (mode 0600).

    Raises:
        KeyFileError: the file exists already, or cannot be written.
    """
    write_private(path, json.dumps({"public_key": pair.public, "secret_key": pair.secret}, indent=2) + "\n")


def load_key_pair(path: Path) -> KeyPair:
    """Reads the file of `save_key_pair`.

    Raises:
        KeyFileError: missing, readable by others, damaged, or with halves that do not belong together.
    """
    try:
        found = json.loads(read_private(path))
        pair = KeyPair.of_secret(str(found["secret_key"]))
        if pair.public == found["public_key"]:
            return pair
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error
    raise _damaged(path)


def write_private(path: Path, text: str) -> None:
    """Makes a new file that only its owner can read (0600), and its folder (0700) if need be.

    Raises:
        KeyFileError: there is a file already, or it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise KeyFileError(
            f"the key file {path}, which exists already", "a new file", "move the old file away if you mean it"
        ) from error
    except OSError as error:
        raise KeyFileError(
            f"an error in writing {path}: {error.strerror}", "a folder that can be written", "check the path"
        ) from error


def read_private(path: Path) -> str:
    """The text of a file that only its owner can read.

    Raises:
        KeyFileError: missing, or others can read it.
    """
    try:
        with path.open(encoding="utf-8") as file:
            others = os.fstat(file.fileno()).st_mode & 0o077
            text = file.read(_FILE_LIMIT)
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(
            f"the key file {path}: {getattr(error, 'strerror', error)}", "a readable key file", "run 'surgnav keys new'"
        ) from error
    if others and os.name == "posix":
        raise KeyFileError(
            f"the key file {path}, which others can read or write (mode {others:03o})",
            "mode 0600",
            f"run 'chmod 600 {path}', and make new keys if others have used this machine",
        )
    return text


def _raw(key: str) -> bytes:
    return z85.decode(key.encode("ascii"))


def _to_base64(key: str) -> str:
    return base64.urlsafe_b64encode(_raw(key)).decode("ascii").rstrip("=")


def _from_base64(text: str) -> str:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(f"a key that is not base64 ({error})") from error
    if len(raw) != _KEY_BYTES:
        raise ValueError(f"a key of {len(raw)} bytes")
    return z85.encode(raw).decode("ascii")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65_536:
        raise ValueError(f"port {text[:12]!r}")
    return int(text)


def _no_enrolment(came: str) -> KeyFileError:
    return KeyFileError(came, f"one line that begins with {_SCHEME}", "copy the whole text, or enroll the client again")


def _damaged(path: Path) -> KeyFileError:
    return KeyFileError(f"the key file {path}, which is damaged", "a file of 'surgnav keys new'", "make new keys")
