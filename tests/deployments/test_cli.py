"""The commands that need no server."""

import hashlib
import re
from pathlib import Path

import pytest
import yaml

from app.auth.api_keys import KeyRing
from app.config import AccessSettings, Role, load_keys
from deployments import cli
from deployments.server import ServerProcess, free_port

ROOT = Path(__file__).parents[2]


def test_a_new_key_opens_the_door_that_its_entry_describes(monkeypatch, capsys, tmp_path):
    arguments = ["new-key", "my-app", "--tenant", "acme", "--roles", "speak,voices"]
    monkeypatch.setattr("sys.argv", ["chatterbox-serve", *arguments])
    assert cli.main() == 0
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


@pytest.mark.parametrize("operators", [None, "disabled"])
def test_rays_own_ports_ask_for_a_token_unless_the_operator_says_otherwise(monkeypatch, operators):
    monkeypatch.setattr(ServerProcess, "_start", lambda self, content: None)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    if operators is not None:
        monkeypatch.setenv("RAY_AUTH_MODE", operators)
    server = ServerProcess(ROOT / "serve_config.yaml", free_port())
    assert server.environment()["RAY_AUTH_MODE"] == (operators or "token")
