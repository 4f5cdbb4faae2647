"""The commands of deployments/cli.py that start no server."""

import hashlib
import re
import signal
from pathlib import Path

import pytest
import yaml

from app.auth.api_keys import KeyRing
from app.config import AccessSettings, load_keys
from app.key_settings import Role
from deployments import cli
from deployments.server import ServerProcess, free_port

ROOT = Path(__file__).parents[2]


def run(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["chatterbox-serve", *arguments])
    return cli.main()


@pytest.mark.parametrize("command", ["check-config", "new-key", "serve", "demo", "say"])
def test_help_shows_examples(monkeypatch, capsys, command):
    assert run(monkeypatch, command, "--help") == 0
    assert re.search(
        rf"^  Examples:\n    chatterbox-serve {command}", capsys.readouterr().out, re.MULTILINE
    )


def test_help_lists_the_commands_of_client_and_server(monkeypatch, capsys):
    assert run(monkeypatch, "--help") == 0
    listed = set(re.findall(r"^  ([a-z-]+) ", capsys.readouterr().out, re.MULTILINE))
    assert {"say", "models", "voices", "cancel"} < listed
    assert {"check-config", "new-key", "serve", "demo"} < listed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["new-key"], "Missing argument 'name'"),
        (["new-key", "x", "--roles", "speak,fly"], "--roles: 'fly' is not a valid Role"),
        (["serve", "--port", "many"], "'--port'"),
        (["demo", "extra"], "unexpected extra argument"),
        (["check-config", "a", "b"], "unexpected extra argument"),
    ],
)
def test_wrong_usage_exits_with_2(monkeypatch, capsys, arguments, message):
    assert run(monkeypatch, *arguments) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out == ""


def test_check_config_accepts_the_default_config(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert run(monkeypatch, "check-config") == 0
    assert capsys.readouterr().out == "serve_config.yaml: no faults found\n"


def test_check_config_prints_every_fault_and_exits_with_1(monkeypatch, capsys, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({"a": 1, "b": 2}))
    assert run(monkeypatch, "check-config", str(file)) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ")
    assert "unknown key a " in shown.err
    assert "unknown key b " in shown.err
    assert shown.out == ""


def test_serve_refuses_a_missing_config(monkeypatch, capsys):
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert run(monkeypatch, "serve", "--config", "nowhere.yaml") == 1
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert capsys.readouterr().err == "error: nowhere.yaml: no such file\n"


def test_a_new_key_is_accepted_with_its_entry(monkeypatch, capsys, tmp_path):
    arguments = ["new-key", "my-app", "--tenant", "acme", "--roles", "speak,voices"]
    assert run(monkeypatch, *arguments) == 0
    shown = capsys.readouterr()
    secret = re.search(r"cbx_\S{43}", shown.err)[0]
    assert secret not in shown.out
    file = tmp_path / "keys.yaml"
    file.write_text(shown.out)
    keys = load_keys(AccessSettings(keys_file=str(file)))
    caller = KeyRing(keys).caller(secret)
    assert (caller.name, caller.tenant) == ("my-app", "acme")
    assert caller.roles == {Role.SPEAK, Role.VOICES}
    assert yaml.safe_load(shown.out)[0]["sha256"] == hashlib.sha256(secret.encode()).hexdigest()


@pytest.mark.parametrize(
    ("name", "default", "operators"),
    [
        ("RAY_AUTH_MODE", "token", "disabled"),
        ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0", "1"),  # Ray listens on loopback
        ("RAY_task_events_report_interval_ms", "0", "1000"),  # the GCS keeps nothing of a request
    ],
)
def test_ray_is_started_safely_unless_the_operator_says_otherwise(
    monkeypatch, name, default, operators
):
    monkeypatch.setattr(ServerProcess, "_start", lambda self, content: None)
    monkeypatch.delenv(name, raising=False)
    server = ServerProcess(ROOT / "serve_config.yaml", free_port())
    assert server.environment()[name] == default
    monkeypatch.setenv(name, operators)
    assert server.environment()[name] == operators
