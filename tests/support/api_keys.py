"""API keys whose secret is known, and the header that sends one."""

import hashlib

from app.key_settings import KeySettings, Role


def key(secret, name, tenant="red", roles=("speak",), **quota):
    return KeySettings(
        name=name,
        sha256=hashlib.sha256(secret.encode()).hexdigest(),
        tenant=tenant,
        roles=tuple(Role(role) for role in roles),
        quota=quota,
    )


def bearer_of(secret):
    return {"Authorization": f"Bearer {secret}"}
