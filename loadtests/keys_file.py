"""The keys file of a server that is attacked: each key has a tenant of its own."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import yaml

from app.key_settings import Role


def write_keys(folder: Path, secrets: Iterable[str]) -> Path:
    """Each key may speak and make voices. Its secret is its name and its tenant's too."""
    path = folder / "keys.yaml"
    entries = [
        {
            "name": secret,
            "tenant": secret,
            "sha256": hashlib.sha256(secret.encode()).hexdigest(),
            "roles": [Role.SPEAK.value, Role.VOICES.value],
        }
        for secret in secrets
    ]
    path.write_text(yaml.safe_dump(entries))
    return path
