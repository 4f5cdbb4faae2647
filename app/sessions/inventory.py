"""What a registry tells of itself: how far a drain has come, and all that it holds."""

from typing import NamedTuple

from app.sessions.replica_table import Heartbeat
from app.sessions.table import ReplicaId


class Drain(NamedTuple):
    """How far a drain has come."""

    num_live: int  # sessions
    num_restored: int  # ingresses that have told this registry of the sessions before its start


class Inventory(NamedTuple):
    """All that a registry holds, for a search for what it does not give back."""

    num_remembered: int  # ids, live ones included
    num_logged: int  # cancels
    num_transcripts: int
    num_followers: int
    num_tasks: int  # of asyncio, in the registry's own process
    replicas: dict[ReplicaId, Heartbeat]  # those that have told one lately
