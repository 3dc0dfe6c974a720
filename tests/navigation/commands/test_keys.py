"""``surgnav keys``, and the service that goes by what it wrote."""

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from navigation.cli import app
from navigation.clock import MonotonicClock
from navigation.headset.server_keys import open_security
from navigation.live.pose_graph import PoseGraph
from navigation.live.service import NavigationService
from tests.navigation.live.served_room import service_config
from unity_bridge.client import Endpoints, ReferenceClient
from unity_bridge.client.__main__ import main as client_main
from unity_bridge.errors import KeyFileError
from unity_bridge.transport.allow_list import load_allow_list
from unity_bridge.transport.keys import Enrolment, KeyPair, read_private

HOST = ["--host", "192.168.1.10"]


def keys(folder: Path, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["keys", *arguments, "--folder", str(folder)])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def test_keys_are_made_enrolled_listed_and_revoked(tmp_path) -> None:
    folder, text_file, png = tmp_path / "keys", tmp_path / "headset-1.txt", tmp_path / "headset-1.png"
    keys(folder, "new")
    assert "exists already" in keys(folder, "new", code=1)
    shown = keys(folder, "enroll", "headset-1", *HOST, "--out", str(text_file), "--png", str(png), "--days", "30")
    text = read_private(text_file).strip()
    assert text in shown
    assert "▀" in shown  # the QR code
    assert "secret key, and is not kept" in shown
    assert png.read_bytes().startswith(b"\x89PNG")
    assert stat.S_IMODE(png.stat().st_mode) == 0o600

    enrolment = Enrolment.from_text(text)
    allowed = load_allow_list(folder / "clients.json").find(enrolment.client_keys.own.public)
    assert (allowed.name, allowed.expires_s) == ("headset-1", enrolment.expires_s)
    assert allowed.expires_s - allowed.enrolled_s == 30 * 24 * 3600
    assert enrolment.server_public == open_security(folder).keys.public
    assert enrolment.secret not in (folder / "clients.json").read_text()

    assert "taken" in keys(folder, "enroll", "headset-1", *HOST, code=1)
    assert f"headset-1 │ {allowed.fingerprint}" in keys(folder, "list")
    keys(folder, "revoke", "headset-1")
    assert "revoked" in keys(folder, "list")
    assert "keys list" in keys(folder, "revoke", "headset-1", code=1)


def test_a_client_may_bring_its_own_key(tmp_path) -> None:
    keys(tmp_path / "keys", "new")
    own = KeyPair.new()
    shown = keys(tmp_path / "keys", "enroll", "headset-1", *HOST, "--public-key", own.public)
    assert "secret" not in shown
    assert load_allow_list(tmp_path / "keys" / "clients.json").find(own.public).name == "headset-1"
    assert "40 characters" in keys(tmp_path / "keys", "enroll", "headset-2", *HOST, "--public-key", "x", code=1)


def test_without_keys_every_command_says_what_to_do(tmp_path) -> None:
    assert "surgnav keys new" in keys(tmp_path, "enroll", "headset-1", *HOST, code=1)
    assert "surgnav keys new" in keys(tmp_path, "list", code=1)
    with pytest.raises(KeyFileError, match="surgnav keys new"):
        open_security(tmp_path)


def test_the_folder_follows_xdg(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert CliRunner().invoke(app, ["keys", "new"]).exit_code == 0
    assert (tmp_path / "surgnav" / "keys" / "server.json").is_file()


def test_the_whole_service_on_a_public_address_with_keys(tmp_path, capsys, caplog) -> None:
    """Both processes: the pose process's gate and the service's; the command-line client is let in, then is not."""
    folder, text_file = tmp_path / "keys", tmp_path / "client.txt"
    keys(folder, "new")
    keys(folder, "enroll", "client", "--host", "127.0.0.1", "--out", str(text_file))
    config = service_config(
        PoseGraph(),
        pose_endpoint="tcp://0.0.0.0:*",
        surface_endpoint="tcp://0.0.0.0:*",
        control_endpoint="tcp://0.0.0.0:*",
        security=open_security(folder),
    )
    clock = MonotonicClock()
    with NavigationService(config) as service:
        bound = (service.pose_endpoint, service.surfaces.endpoint, service.control.endpoint)
        local = Endpoints(
            **dict(
                zip(("poses", "surfaces", "control"), (e.replace("0.0.0.0", "127.0.0.1") for e in bound), strict=True)
            )
        )
        own = Enrolment.from_text(read_private(text_file)).client_keys

        def run(client: ReferenceClient, condition) -> None:
            deadline_ns = clock.now_ns() + 60_000_000_000
            while not condition():
                assert clock.now_ns() < deadline_ns
                service.poll(5)
                client.poll(5)

        with ReferenceClient(local, clock, keys=own) as client:
            run(client, lambda: client.is_ready)
            keys(folder, "revoke", "client")
            run(client, lambda: client.poses.watch.reason)
            assert "revoked" in client.refusal
            client.control.say_hello()
            run(client, lambda: "KeyRefused" in client.control.last_refusal)
        where = ["--poses", local.poses, "--surfaces", local.surfaces, "--control", local.control]
        assert client_main([*where, "--keys", str(text_file), "--timeout", "30"]) == 2
        assert "revoked" in capsys.readouterr().out
        service.poll(0)
    assert "revoked key" in caplog.text
