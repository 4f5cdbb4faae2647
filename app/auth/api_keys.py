"""Who may do what: API keys, roles, tenants, and which requests may knock at all.

Keys are known by their SHA-256 alone. Without any, everybody on this machine is one caller who may
do everything, and nobody else may do anything. Pure; knows nothing about HTTP frameworks.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.config import KeySettings, Quota, Role
from app.core import DEFAULT_TENANT
from app.errors import ConfigError, Forbidden, Unauthorized

_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")  # a proxy in front says so


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request. `name` is the key's, for logs and counts; never the key."""

    name: str
    tenant: str
    roles: frozenset[Role]
    quota: Quota

    def require(self, role: Role) -> None:
        if role not in self.roles:
            raise Forbidden(f"this key has not the role {role!r}", code="role_missing")


ANYBODY_HERE = Caller("anybody", DEFAULT_TENANT, frozenset(Role), Quota())


class KeyRing:
    def __init__(self, keys: Sequence[KeySettings]) -> None:
        """Raises ConfigError where two keys are one or share a name."""
        for what in ("name", "sha256"):
            values = [getattr(key, what) for key in keys]
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise ConfigError(f"api keys: two have the {what} {twice!r}")
        self._keys = [
            (
                bytes.fromhex(key.sha256),
                Caller(key.name, key.tenant, frozenset(key.roles), key.quota),
            )
            for key in keys
        ]

    @property
    def is_open(self) -> bool:
        return not self._keys

    def caller(self, secret: str) -> Caller:
        """Takes as long for any key, right or wrong. Raises Unauthorized."""
        digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
        found = None
        for known, caller in self._keys:
            if hmac.compare_digest(digest, known):
                found = caller
        if found is None:
            raise Unauthorized("this API key is not known", code="invalid_api_key")
        return found


def refuse_open_doors(keys: Sequence[KeySettings], host: str, haproxy: bool) -> None:
    """Raises ConfigError where a server without keys would be reachable from outside."""
    if keys:
        return
    if haproxy:
        raise ConfigError(
            "Ray Serve's HAProxy listens on every interface: configure API keys (access.keys_file)"
        )
    if not is_loopback(host):
        raise ConfigError(
            f"http_options.host {host} is reachable from outside: configure API keys "
            "(access.keys_file), or listen on 127.0.0.1"
        )


def admit(
    ring: KeyRing, secret: str | None, peer: str | None, headers: Mapping[str, str]
) -> Caller:
    """`headers` by lower-case name. Raises Unauthorized, Forbidden."""
    if not ring.is_open:
        if secret is None:
            raise Unauthorized("an API key is needed: Authorization: Bearer …", code="no_api_key")
        return ring.caller(secret)
    host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
    is_near = peer is not None and is_loopback(peer)
    is_meant = host.strip("[]").lower() in _LOCAL_NAMES  # else a page rebound its name to here
    if not (is_near and is_meant) or any(name in headers for name in _FORWARDED):
        message = "without an API key in its configuration this server speaks to its own machine"
        raise Forbidden(message, code="loopback_only")
    return ANYBODY_HERE


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
