"""The items of a conversation, in order: messages, calls of functions, and their results.

An item is replaced as a whole when it changes. Pure. Knows nothing about events or models.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from app.errors import BadRequest, NotFound

Role = Literal["system", "user", "assistant"]
Status = Literal["in_progress", "completed", "incomplete"]
ROOT = "root"  # the `previous_item_id` that means the beginning
MAX_ITEMS = 10_000
MAX_CHARS = 2_000_000  # of all items


@dataclass(frozen=True, slots=True)
class Part:
    """`is_audio`: the text was heard or spoken; it is the transcript of a sound. A transcript that
    is not there yet is None."""

    text: str | None
    is_audio: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    role: Role
    parts: tuple[Part, ...] = ()
    status: Status = "completed"

    @property
    def text(self) -> str:
        return "\n".join(part.text for part in self.parts if part.text)


@dataclass(frozen=True, slots=True)
class FunctionCall:
    id: str
    call_id: str
    name: str
    arguments: str  # JSON, as the language model wrote it
    status: Status = "completed"


@dataclass(frozen=True, slots=True)
class FunctionOutput:
    id: str
    call_id: str
    output: str
    status: Status = "completed"


Item = Message | FunctionCall | FunctionOutput


class Conversation:
    def __init__(self) -> None:
        self._items: dict[str, Item] = {}  # in order
        self._num_chars = 0

    def __iter__(self) -> Iterator[Item]:
        return iter(tuple(self._items.values()))

    def __len__(self) -> int:
        return len(self._items)

    @property
    def last_id(self) -> str | None:
        return next(reversed(self._items), None)

    def find(self, item_id: str) -> Item | None:
        return self._items.get(item_id)

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Puts the item behind the item `after`, at the end where `after` is None, or at the
        beginning where it is ROOT. Returns the id of the item before it. Raises BadRequest."""
        if item.id in self._items:
            message = f"item.id: the conversation has an item {item.id!r} already"
            raise BadRequest(message, param="item.id", code="item_create_duplicate_item_id")
        if after not in (None, ROOT) and after not in self._items:
            message = f"previous_item_id: the conversation has no item {after!r}"
            code = "item_create_invalid_previous_item_id"
            raise BadRequest(message, param="previous_item_id", code=code)
        if len(self._items) >= MAX_ITEMS or self._num_chars + _num_chars(item) > MAX_CHARS:
            message = "the conversation has reached its largest size; delete items first"
            raise BadRequest(message, param="item", code="conversation_full")
        ids = list(self._items)
        at = _place(ids, after)
        if at == len(ids):
            self._items[item.id] = item
        else:
            ids.insert(at, item.id)
            held = {**self._items, item.id: item}
            self._items = {item_id: held[item_id] for item_id in ids}
        self._num_chars += _num_chars(item)
        return ids[at - 1] if at else None

    def before(self, item_id: str) -> str | None:
        """The id of the item before it. None: it is the first one, or was deleted."""
        ids = list(self._items)
        at = ids.index(item_id) if item_id in self._items else 0
        return ids[at - 1] if at else None

    def replace(self, item: Item) -> None:
        """The item of the same id. Where that was deleted, nothing."""
        if (known := self._items.get(item.id)) is not None:
            self._num_chars += _num_chars(item) - _num_chars(known)
            self._items[item.id] = item

    def delete(self, item_id: str) -> Item:
        """Raises NotFound."""
        item = self.get(item_id, "item_delete_invalid_item_id")
        del self._items[item_id]
        self._num_chars -= _num_chars(item)
        return item

    def get(self, item_id: str, code: str) -> Item:
        """Raises NotFound with the code."""
        item = self._items.get(item_id)
        if item is None:
            message = f"item_id: the conversation has no item {item_id[:64]!r}"
            raise NotFound(message, param="item_id", code=code)
        return item


def _num_chars(item: Item) -> int:
    match item:
        case Message():
            return len(item.text)
        case FunctionCall():
            return len(item.arguments)
        case FunctionOutput():
            return len(item.output)


def _place(ids: list[str], after: str | None) -> int:
    if after is None:
        return len(ids)
    return 0 if after == ROOT else ids.index(after) + 1
