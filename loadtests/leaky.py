"""The application with a T3 that keeps 1 KiB per request. A soak must find this leak."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ray.serve import Application

from app.config import ServeArgs
from app.core import SpeechTokens, TokenRequest
from deployments.app import assemble
from deployments.t3 import T3


class LeakyT3(T3):
    _kept: tuple[bytes, ...] = ()

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        self._kept = (*self._kept, bytes(1024))
        async with aclosing(super().tokens(request)) as groups:
            async for group in groups:
                yield group


def build(args: ServeArgs) -> Application:
    return assemble(args, t3_class=LeakyT3)
