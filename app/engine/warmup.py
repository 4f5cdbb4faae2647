"""A replica's first words, heard by nobody.

Libraries load and plan in their first call. A replica that has spoken before it is ready keeps no
session waiting for that: one that is added under load relieves the others at once.
"""

from collections.abc import Sequence
from typing import TypeVar

from app.core import SessionKey
from app.engine.loop import Engine
from app.engine.stream import Item

KEY = SessionKey("", "first-words")  # no caller's: a tenant has a name

MessageT = TypeVar("MessageT")
ItemT = TypeVar("ItemT", bound=Item)


def speak(engine: Engine[MessageT, ItemT], messages: Sequence[MessageT]) -> None:
    for message in messages:
        engine.receive(message)
    while engine.has_work():
        engine.step()
