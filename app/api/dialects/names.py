"""The contexts of a vendor's socket by the vendor's ids, and their names on our own socket.

A vendor's id may be any text, and may be used again for a later context. Each context therefore
gets a name of its own. What our socket says about a context that the vendor's client no longer has
is not found. Pure.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

from app.api.socket_messages import Cancel

ContextT = TypeVar("ContextT")

MAX_FAILED = 1000


class ContextNames(Generic[ContextT]):
    """`ContextT` is what the dialect keeps of a context."""

    def __init__(self) -> None:
        self._num_named = 0
        self._names: dict[str, str] = {}  # by the vendor's id
        self._open: dict[str, tuple[str, ContextT]] = {}  # by our name

    def open(self, vendor_id: str, context: ContextT) -> str:
        """The name of the new context. It takes the place of an earlier one of the same id."""
        self.forget(self._names.get(vendor_id))
        name = f"c{self._num_named}"
        self._num_named += 1
        self._names[vendor_id] = name
        self._open[name] = vendor_id, context
        return name

    def name_of(self, vendor_id: str) -> str | None:
        return self._names.get(vendor_id)

    def of_vendor(self, vendor_id: str) -> ContextT | None:
        name = self._names.get(vendor_id)
        return None if name is None else self._open[name][1]

    def find(self, name: str | None) -> tuple[str, ContextT] | None:
        """The vendor's id and the context; None where the client no longer has it."""
        return None if name is None else self._open.get(name)

    def release(self, vendor_id: str) -> None:
        """The client may use the id for another context. What our socket still says about this one
        is found."""
        self._names.pop(vendor_id, None)

    def forget(self, name: str | None) -> None:
        """By our name. Does nothing where there is no such context."""
        if (found := self.find(name)) is not None and name is not None:
            del self._open[name]
            if self._names.get(found[0]) == name:
                del self._names[found[0]]

    def __len__(self) -> int:
        return len(self._open)


class FailedIds:
    """The vendor's ids of contexts that failed while their text was still coming. The rest of the
    text is thrown away: it must not be spoken as a context of its own."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def add(self, vendor_id: str) -> None:
        self._ids[vendor_id] = None
        if len(self._ids) > MAX_FAILED:
            del self._ids[next(iter(self._ids))]

    def has(self, vendor_id: str, *, is_last: bool) -> bool:
        """`is_last`: no more text comes for it, and the id may be used again."""
        is_failed = vendor_id in self._ids
        if is_last:
            self.discard(vendor_id)
        return is_failed

    def discard(self, vendor_id: str) -> None:
        self._ids.pop(vendor_id, None)


def end_failed(
    names: ContextNames[ContextT], failed: FailedIds, vendor_id: str, *, goes_on: bool
) -> Iterator[Cancel]:
    """A wrong frame ends its context: a text with a hole is not whole. `goes_on`: more of the text
    may come."""
    name = names.name_of(vendor_id)
    if name is not None:
        names.forget(name)
        yield Cancel(type="cancel", context_id=name)
    if goes_on:
        failed.add(vendor_id)
