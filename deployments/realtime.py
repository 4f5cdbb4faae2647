"""The ingress' side of realtime sessions: the hearing behind its handle, and the language model."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

from ray.serve.handle import DeploymentHandle

from app.api.realtime.parts import RealtimeParts
from app.config import ServeArgs, language_model_key
from app.conversation.chat_completions import ChatCompletions
from app.conversation.echo import Echo
from app.conversation.language_model import LanguageModel
from app.errors import Unavailable
from app.hearing.call_messages import CallAddress
from app.hearing.ears import TurnDetection
from app.hearing.remote_call import RemoteHearing
from app.realtime_settings import RealtimeSettings
from deployments.realtime_metrics import RealtimeMetrics
from deployments.streams import owned


def realtime_parts(
    args: ServeArgs, hearing: "DeploymentHandle[object] | None"
) -> RealtimeParts | None:
    """What the ingress needs for realtime sessions. None: the server does not hear."""
    if hearing is None or args.hearing is None:
        return None
    voice = args.hearing.voice_activity
    hold = hearing.options(method_name="hold", stream=True)

    @asynccontextmanager
    async def lease() -> AsyncGenerator[CallAddress, None]:
        addresses: AsyncGenerator[object, None] = owned(hold.remote)
        async with aclosing(addresses):
            address: object = await anext(addresses, None)
            if not isinstance(address, CallAddress):
                raise Unavailable("the hearing gave no address", code="hearing_unavailable")
            yield address

    return RealtimeParts(
        RemoteHearing(lease),
        _language_model(args.realtime),
        args.realtime,
        TurnDetection(voice.threshold, voice.prefix_s, voice.silence_s, voice.interrupt_s),
        RealtimeMetrics(),
    )


def _language_model(settings: RealtimeSettings) -> LanguageModel:
    if settings.llm is None:
        return Echo()
    return ChatCompletions(settings.llm, language_model_key())
