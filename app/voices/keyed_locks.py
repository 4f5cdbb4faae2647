"""A lock for each name. A lock exists while a thread holds it or waits for it."""

import threading
from weakref import WeakValueDictionary


class KeyedLocks:
    """May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_name: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._by_name)

    def of(self, name: str) -> threading.Lock:
        with self._lock:
            return self._by_name.setdefault(name, threading.Lock())
