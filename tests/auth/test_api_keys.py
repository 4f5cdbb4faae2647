"""The callers that a server lets in, and the servers that may run without keys."""

import pytest

from app.auth.api_keys import ANYBODY_HERE, KeyRing, admit, is_loopback, refuse_open_doors
from app.config import load_keys
from app.errors import ConfigError, Forbidden, Unauthorized
from app.key_settings import AccessSettings, Role
from tests.support.api_keys import key

RING = KeyRing([key("one", "first"), key("two", "second", "blue", ("voices", "admin"))])
OPEN = KeyRing([])
HERE = {"host": "localhost:8000"}
LOCAL = AccessSettings()


def test_a_known_key_gives_its_caller():
    caller = admit(RING, "two", "203.0.113.9", {"host": "example.com"})
    assert (caller.name, caller.tenant) == ("second", "blue")
    assert caller.roles == {Role.VOICES, Role.ADMIN}


@pytest.mark.parametrize("secret", [None, "", "One", "one ", "three", "\ud800", "x" * 10_000])
def test_a_missing_or_unknown_key_is_refused(secret):
    with pytest.raises(Unauthorized):
        admit(RING, secret, "127.0.0.1", HERE)


def test_a_missing_role_is_named():
    with pytest.raises(Forbidden, match="admin"):
        RING.caller("one").require(Role.ADMIN)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "[::1]", "LOCALHOST:1", "localhost:"]
)
def test_without_keys_this_machine_has_all_roles(host):
    assert admit(OPEN, None, "127.0.0.1", {"host": host}) is ANYBODY_HERE


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        (None, HERE),
        ("203.0.113.9", HERE),
        ("10.0.0.1", HERE),
        ("fe80::1", HERE),
        ("127.0.0.1", {}),
        ("127.0.0.1", {"host": "rebound.example:8000"}),
        ("127.0.0.1", {"host": "127.0.0.1.example"}),
        ("127.0.0.1", {"host": "me@127.0.0.1"}),
        ("127.0.0.1", {"host": "[::1"}),
        ("127.0.0.1", {"host": "[::1]x"}),
        ("127.0.0.1", {"host": "[rebound.example]"}),
        ("127.0.0.1", {"host": "::1"}),
        ("127.0.0.1", {"host": ""}),
    ],
)
def test_without_keys_other_machines_are_refused(peer, headers):
    with pytest.raises(Forbidden):
        admit(OPEN, "one", peer, headers)


@pytest.mark.parametrize(
    "name",
    [
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-server",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-envoy-external-address",
        "x-azure-clientip",
        "true-client-ip",
        "cf-connecting-ip",
        "fastly-client-ip",
        "fly-client-ip",
        "cdn-loop",
    ],
)
def test_without_keys_a_request_that_a_proxy_sent_on_is_refused(name):
    with pytest.raises(Forbidden) as refused:
        admit(OPEN, None, "127.0.0.1", HERE | {name: "anything"})
    assert refused.value.code == "loopback_only"
    admit(RING, "one", "127.0.0.1", HERE | {name: "anything"})  # a key is enough


@pytest.mark.parametrize("name", ["x-request-id", "accept", "user-agent", "origin", "x-api-key"])
def test_headers_of_clients_are_no_proxys(name):
    admit(OPEN, None, "127.0.0.1", HERE | {name: "anything"})


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("example.com", False),
    ],
)
def test_loopback_addresses_are_recognised(host, near):
    assert is_loopback(host) is near


def test_a_reachable_server_without_keys_does_not_start():
    refuse_open_doors([], "127.0.0.1", haproxy=False, access=LOCAL)
    refuse_open_doors([key("one", "first")], "0.0.0.0", haproxy=True, access=LOCAL)
    with pytest.raises(ConfigError, match="reachable"):
        refuse_open_doors([], "0.0.0.0", haproxy=False, access=LOCAL)
    with pytest.raises(ConfigError, match="HAProxy"):
        refuse_open_doors([], "127.0.0.1", haproxy=True, access=LOCAL)


def test_keyless_refuse_needs_a_key_everywhere():
    refuse = AccessSettings(keyless="refuse")
    with pytest.raises(ConfigError, match=r"access\.keyless"):
        refuse_open_doors([], "127.0.0.1", haproxy=False, access=refuse)
    refuse_open_doors([key("one", "first")], "127.0.0.1", haproxy=False, access=refuse)


def test_two_keys_with_one_name_or_hash_are_refused():
    with pytest.raises(ConfigError, match="name"):
        KeyRing([key("one", "first"), key("two", "first")])
    with pytest.raises(ConfigError, match="sha256"):
        KeyRing([key("one", "first"), key("one", "second")])


ENTRY = f"- {{name: app, sha256: {'a' * 64}, tenant: red, quota: {{max_concurrent: 2}}}}"


def test_keys_are_read_from_a_file_or_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("CHATTERBOX_API_KEYS", raising=False)
    assert load_keys(AccessSettings()) == ()
    file = tmp_path / "keys.yaml"
    file.write_text(ENTRY)
    (from_file,) = load_keys(AccessSettings(keys_file=str(file)))
    monkeypatch.setenv("CHATTERBOX_API_KEYS", ENTRY)
    assert load_keys(AccessSettings()) == (from_file,)
    assert (from_file.tenant, from_file.quota.max_concurrent) == ("red", 2)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "key"),
        ("[]", "holds no key"),
        ("- {name: app}", "sha256"),
        (ENTRY.replace("tenant", "tennant"), "tennant"),
        (ENTRY.replace("red", "../red"), "tenant"),
        (ENTRY.replace("a" * 64, "secret"), "sha256"),
        ("{", "not valid YAML"),
    ],
)
def test_an_error_in_the_keys_file_hides_its_content(tmp_path, content, told):
    file = tmp_path / "keys.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=told) as refused:
        load_keys(AccessSettings(keys_file=str(file)))
    assert "secret" not in str(refused.value)


def test_a_missing_keys_file_is_named():
    with pytest.raises(ConfigError, match="nowhere"):
        load_keys(AccessSettings(keys_file="/nowhere"))
