"""Text that arrives in pieces is cut in a thread; a test decides when."""

import asyncio
import threading

from app.text.incremental import IncrementalText


def is_on_a_loop():
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Cutting:
    """Every piece that is cut in a thread waits there until `go` is set."""

    def __init__(self, monkeypatch):
        self.go = threading.Event()
        self.on_loop = []  # of each piece that was cut
        self.begun = asyncio.Event()
        push, loop = IncrementalText.push, asyncio.get_running_loop()

        def watched(text, piece):
            self.on_loop.append(is_on_a_loop())
            if not self.on_loop[-1]:
                loop.call_soon_threadsafe(self.begun.set)
                self.go.wait(30)
            return push(text, piece)

        monkeypatch.setattr(IncrementalText, "push", watched)
