"""How much memory for keys and values there is, and to whom it is promised.

Counted in pages: 16 positions of one row, in every layer. A sequence is promised its worst case
(prompt + max_tokens) when it is admitted, so that a voice in the middle of a sentence never waits
for memory and nothing is ever computed twice; the promise is filled page by page as it speaks
(DenseKVCache), and what it did not need is free again at its end. Runs without torch; knows
nothing about tensors or who is urgent.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # the scheduler runs without torch
    from app.engine.conditionals import T3Conditionals

PAGE = 16  # positions


def pages_of(num_positions: int, num_rows: int = 1) -> int:
    return num_rows * -(-num_positions // PAGE)


class PageBudget:
    """Free + promised == capacity, always."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._num_free = capacity
        self._promised: dict[Hashable, int] = {}

    @property
    def num_free(self) -> int:
        return self._num_free

    def can_allocate(self, num_pages: int) -> bool:
        return num_pages <= self._num_free

    def allocate(self, owner: Hashable, num_pages: int) -> None:
        """Raises RuntimeError where `can_allocate` would have said no, or `owner` has some."""
        if owner in self._promised or not self.can_allocate(num_pages):
            raise RuntimeError(f"{num_pages} pages asked of {self._num_free}, or asked twice")
        self._num_free -= num_pages
        self._promised[owner] = num_pages

    def free(self, owner: Hashable) -> None:
        """Raises KeyError where the owner has none: nothing is freed twice."""
        self._num_free += self._promised.pop(owner)

    def check_integrity(self) -> None:
        promised = sum(self._promised.values())
        if self._num_free + promised != self.capacity or self._num_free < 0:
            raise RuntimeError(
                f"{self._num_free} pages are free and {promised} promised of {self.capacity}"
            )


class PrefixKey(NamedTuple):
    """A voice that was prepared anew under its old name has new conditionals: another prefix."""

    voice: str
    exaggeration: float
    conditionals_id: int


@dataclass(slots=True, eq=False)
class Prefix:
    """The positions with which every prompt of one voice and exaggeration begins.

    The same in both rows of a CFG pair, and whatever is said: computed by the first sequence that
    needs them, as part of its own prompt, then kept.
    """

    key: PrefixKey
    conditionals: "T3Conditionals"  # held, so that no other takes its id
    num_positions: int
    is_ready: bool = False
    author: Hashable | None = None  # the sequence that computes it
    num_users: int = 0  # live sequences that begin with it, the author among them


class PrefixCache:
    """The prefixes that are kept: those in use, and the most recently used of the others."""

    def __init__(self, pool: PageBudget, most: int, forget: Callable[[Prefix], None]) -> None:
        """`forget` is told each prefix that goes, once."""
        self._pool = pool
        self._most = most
        self._forget = forget
        self._prefixes: OrderedDict[PrefixKey, Prefix] = OrderedDict()  # least recently used first
        self.num_hits = 0  # joined, of those that were there or on their way
        self.num_misses = 0

    @property
    def num_pages(self) -> int:
        return sum(pages_of(prefix.num_positions) for prefix in self._prefixes.values())

    @property
    def num_ready(self) -> int:
        return sum(prefix.is_ready for prefix in self._prefixes.values())

    def can_make_room(self, num_pages: int) -> bool:
        unused = [prefix for prefix in self._prefixes.values() if not prefix.num_users]
        num_unused = sum(pages_of(prefix.num_positions) for prefix in unused)
        return self._pool.can_allocate(num_pages - num_unused)

    def make_room(self, key: PrefixKey, num_pages: int) -> None:
        """Drop unused prefixes, that of `key` last, until so many pages are free."""
        if key in self._prefixes:
            self._prefixes.move_to_end(key)
        self._drop_while(lambda: not self._pool.can_allocate(num_pages))

    def join(
        self, key: PrefixKey, conditionals: "T3Conditionals", num_positions: int
    ) -> Prefix | None:
        """The prefix to begin with, ready or not; None where there is no room for another."""
        prefix = self._prefixes.get(key)
        self.num_hits += prefix is not None
        self.num_misses += prefix is None
        if prefix is None:
            self._drop_while(lambda: len(self._prefixes) >= self._most)
            num_pages = pages_of(num_positions)
            if len(self._prefixes) >= self._most or not self._pool.can_allocate(num_pages):
                return None
            prefix = self._prefixes[key] = Prefix(key, conditionals, num_positions)
            self._pool.allocate(prefix, num_pages)
        self._prefixes.move_to_end(key)
        prefix.num_users += 1
        return prefix

    def leave(self, prefix: Prefix, user: Hashable) -> None:
        prefix.num_users -= 1
        if prefix.author is user:
            prefix.author = None
        if not (prefix.num_users or prefix.is_ready):
            self._drop(prefix)

    def check_integrity(self, users: int) -> None:
        counted = sum(prefix.num_users for prefix in self._prefixes.values())
        if counted != users:
            raise RuntimeError(f"{counted} users of prefixes are counted and {users} live")

    def _drop_while(self, is_short: Callable[[], bool]) -> None:
        for prefix in list(self._prefixes.values()):
            if not is_short():
                return
            if not prefix.num_users:
                self._drop(prefix)

    def _drop(self, prefix: Prefix) -> None:
        del self._prefixes[prefix.key]
        self._pool.free(prefix)
        self._forget(prefix)
