"""A clock that a test moves, and a pause that takes no time."""


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def no_pause(seconds: float) -> None:
    """In the place of asyncio.sleep."""
