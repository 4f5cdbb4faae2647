"""API keys, roles and tenants: which caller sent a request, and what that caller may do.

The server knows the SHA-256 of each key, never the key. A server without keys serves its own
machine alone, and gives every request from there all roles. Pure; knows nothing about HTTP
frameworks.
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core import DEFAULT_TENANT
from app.errors import ConfigError, Forbidden, Unauthorized
from app.key_settings import AccessSettings, KeySettings, Quota, Role

_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
# Headers of a proxy in front. No list can be complete: a proxy need not say that it is there.
_FORWARDED = (
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-host",
    "x-originating-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-envoy-external-address",
    "x-azure-clientip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "cdn-loop",
)
_FORWARDED_PREFIX = "x-forwarded-"
_HOST = re.compile(r"(?:\[(?P<ipv6>[^\[\]]*)\]|(?P<name>[^:\[\]@]*))(?::\d*)?")


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request. `name` is the name of the key, for logs and counts, never the
    key."""

    name: str
    tenant: str
    roles: frozenset[Role]
    quota: Quota

    def require(self, role: Role) -> None:
        if role not in self.roles:
            raise Forbidden(f"this API key lacks the role {role.value!r}", code="role_missing")


ANYBODY_HERE = Caller("anybody", DEFAULT_TENANT, frozenset(Role), Quota())


class KeyRing:
    def __init__(self, keys: Sequence[KeySettings]) -> None:
        """Raises ConfigError where two keys share a name or a hash."""
        for field in ("name", "sha256"):
            values = [getattr(key, field) for key in keys]
            repeated = next((value for value in values if values.count(value) > 1), None)
            if repeated is not None:
                raise ConfigError(f"API keys: two keys have the {field} {repeated!r}")
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
        """Takes the same time for any secret, right or wrong. Raises Unauthorized."""
        digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
        found = None
        for known, caller in self._keys:
            if hmac.compare_digest(digest, known):
                found = caller
        if found is None:
            raise Unauthorized("this API key is unknown", code="invalid_api_key")
        return found


def refuse_open_doors(
    keys: Sequence[KeySettings], host: str, haproxy: bool, access: AccessSettings
) -> None:
    """Raises ConfigError where other machines could reach a server without keys, and where
    `access.keyless` does not let a server without keys start."""
    if keys:
        return
    if access.keyless == "refuse":
        raise ConfigError(
            "access.keyless is refuse, and no API key is configured. Configure API keys "
            "(access.keys_file)."
        )
    if haproxy:
        raise ConfigError(
            "Ray Serve's HAProxy listens on every interface. Configure API keys (access.keys_file)."
        )
    if not is_loopback(host):
        raise ConfigError(
            f"http_options.host {host} is reachable from outside this machine. Configure API keys "
            "(access.keys_file), or listen on 127.0.0.1."
        )


def admit(
    ring: KeyRing, secret: str | None, peer: str | None, headers: Mapping[str, str]
) -> Caller:
    """The caller of a request from the address `peer`. `headers` have lower-case names. Raises
    Unauthorized, Forbidden."""
    if not ring.is_open:
        if secret is None:
            message = "an API key is required: send the header Authorization: Bearer <key>"
            raise Unauthorized(message, code="no_api_key")
        return ring.caller(secret)
    is_local_peer = peer is not None and is_loopback(peer)
    # Another host name: a web page may have rebound its own name to this machine.
    is_local_name = host_of(headers.get("host", "")) in _LOCAL_NAMES
    if not (is_local_peer and is_local_name) or is_forwarded(headers):
        message = "this server has no API keys configured, so it serves only its own machine"
        raise Forbidden(message, code="loopback_only")
    return ANYBODY_HERE


def host_of(header: str) -> str:
    """The name or the address in a Host header, in lower case and without the port. Empty where the
    header has another form."""
    found = _HOST.fullmatch(header)
    return "" if found is None else (found["ipv6"] or found["name"] or "").lower()


def is_forwarded(headers: Mapping[str, str]) -> bool:
    """Whether a proxy says in one of the known ways that it sent the request on."""
    return any(name in _FORWARDED or name.startswith(_FORWARDED_PREFIX) for name in headers)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
