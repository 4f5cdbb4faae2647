"""The budget of memory for keys and values, and the owners that it is promised to.

The budget is counted in pages. A page is 16 positions of one row, in every layer. At admission a
sequence is promised its worst case (prompt + max_tokens): a sequence in the middle of a sentence
never waits for memory, and nothing is computed twice. The KV cache takes pages one by one as the
sequence grows. At the end of the sequence its whole promise is free again. Runs without torch.
Knows nothing about tensors or deadlines.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

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
        """Raises RuntimeError where `can_allocate` is False, or where `owner` has pages already."""
        if owner in self._promised or not self.can_allocate(num_pages):
            raise RuntimeError(
                f"{num_pages} pages wanted and {self._num_free} free, or wanted twice"
            )
        self._num_free -= num_pages
        self._promised[owner] = num_pages

    def free(self, owner: Hashable) -> None:
        """Raises KeyError where the owner has no pages: nothing is freed twice."""
        self._num_free += self._promised.pop(owner)

    def check_integrity(self) -> None:
        promised = sum(self._promised.values())
        if self._num_free + promised != self.capacity or self._num_free < 0:
            raise RuntimeError(
                f"{self._num_free} pages are free and {promised} promised of {self.capacity}"
            )


class PrefixKey(NamedTuple):
    """Conditionals are compared by identity. A voice that was prepared anew under its old name has
    new conditionals, so it has another prefix."""

    conditionals: "T3Conditionals"
    exaggeration: float


@dataclass(slots=True, eq=False)
class Prefix:
    """The positions at the beginning of every prompt with one voice and one exaggeration.

    They are the same in both rows of a CFG pair and for every text. The first sequence that needs
    them computes them as part of its own prompt; then they are kept.
    """

    key: PrefixKey
    num_positions: int
    is_ready: bool = False
    author: Hashable | None = None  # the sequence that computes it
    num_users: int = 0  # live sequences that begin with it, the author among them


class KVCache(Protocol):
    """The holder of keys and values, as the scheduler sees it. The scheduler tells it once of each
    slot and each prefix that falls free."""

    def release(self, slot: int) -> None: ...
    def forget(self, prefix: Prefix) -> None: ...


class PrefixCache:
    """Keeps all prefixes in use, and the most recently used of the others."""

    def __init__(self, budget: PageBudget, capacity: int, forget: Callable[[Prefix], None]) -> None:
        """`forget` is called once with each prefix that is dropped."""
        self._budget = budget
        self._capacity = capacity
        self._forget = forget
        self._prefixes: OrderedDict[PrefixKey, Prefix] = OrderedDict()  # least recently used first
        self.num_hits = 0  # joins of a prefix that was ready, or that was being computed
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
        return self._budget.can_allocate(num_pages - num_unused)

    def make_room(self, key: PrefixKey, num_pages: int) -> None:
        """Drop unused prefixes until `num_pages` are free. The prefix of `key` is dropped last."""
        if key in self._prefixes:
            self._prefixes.move_to_end(key)
        self._drop_while(lambda: not self._budget.can_allocate(num_pages))

    def join(self, key: PrefixKey, num_positions: int) -> Prefix | None:
        """The prefix to begin with, ready or not. None where there is no room for a new one."""
        prefix = self._prefixes.get(key)
        self.num_hits += prefix is not None
        self.num_misses += prefix is None
        if prefix is None:
            self._drop_while(lambda: len(self._prefixes) >= self._capacity)
            num_pages = pages_of(num_positions)
            is_full = len(self._prefixes) >= self._capacity
            if is_full or not self._budget.can_allocate(num_pages):
                return None
            prefix = self._prefixes[key] = Prefix(key, num_positions)
            self._budget.allocate(prefix, num_pages)
        self._prefixes.move_to_end(key)
        prefix.num_users += 1
        return prefix

    def leave(self, prefix: Prefix, user: Hashable) -> None:
        prefix.num_users -= 1
        if prefix.author is user:
            prefix.author = None
        if not (prefix.num_users or prefix.is_ready):
            self._drop(prefix)

    def check_integrity(self, num_users: int) -> None:
        num_counted = sum(prefix.num_users for prefix in self._prefixes.values())
        if num_counted != num_users:
            raise RuntimeError(f"prefixes count {num_counted} users; {num_users} are live")

    def _drop_while(self, is_short: Callable[[], bool]) -> None:
        for prefix in list(self._prefixes.values()):
            if not is_short():
                return
            if not prefix.num_users:
                self._drop(prefix)

    def _drop(self, prefix: Prefix) -> None:
        del self._prefixes[prefix.key]
        self._budget.free(prefix)
        self._forget(prefix)
