"""The routes of voices. Any key may list them; only keys with the role `voices` may make, rename
and delete them."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.api.answers import DeletedVoice, Voice, VoiceList
from app.api.dependencies import caller_of, require_role
from app.api.errors import JsonResponse
from app.api.json_body import read_object
from app.api.openapi import WAV_PREVIEW, answer, json_body
from app.api.previews import SEED, TEXT, PreviewResponse, Previews
from app.api.services import Services
from app.api.speech_request import SpeechOptionFields, parse
from app.api.uploads import read_form
from app.api.voices import body_of
from app.key_settings import Role
from app.voices.names import MAX_CHARS
from app.voices.recordings import MAX_BYTES

URL = "/v1/audio/voices"
MAX_CONSENT_CHARS = 2000
MAX_CHANGE_BYTES = 16_384


class VoiceChanges(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str | None = None
    aliases: list[str] | None = Field(None, max_length=16)


_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["name", "audio_sample", "consent"],
                    "additionalProperties": False,
                    "properties": {
                        "name": {"type": "string", "maxLength": MAX_CHARS},
                        "audio_sample": {"type": "string", "format": "binary"},
                        "consent": {"type": "string", "maxLength": MAX_CONSENT_CHARS},
                    },
                }
            }
        },
    }
}
_CHANGE = json_body(VoiceChanges.model_json_schema())
_VOICE = answer(Voice)


def voice_routes(services: Services) -> APIRouter:
    router = APIRouter(default_response_class=JsonResponse)
    voices, planner, previews = services.voices, services.planner, Previews()
    makers = [require_role(Role.VOICES)]

    @router.get("/v1/voices", response_model=None, responses=answer(VoiceList))
    @router.get(URL, response_model=None, responses=answer(VoiceList))
    async def all_voices(request: Request) -> Response:
        """The voices that the caller may use."""
        listed = tuple(await voices.all(caller_of(request)))
        return JsonResponse(VoiceList(voices=listed, data=listed))

    @router.post(
        URL, response_model=None, responses=_VOICE, openapi_extra=_UPLOAD, dependencies=makers
    )
    async def add_voice(request: Request) -> Response:
        """Make a voice from a recording of 5 to 30 s and the speaker's written consent."""
        form = await read_form(request, ("name", "consent"), ("audio_sample",), MAX_BYTES)
        caller = caller_of(request)
        with services.admission.upload_place(caller):
            voice = await voices.add(
                caller,
                form.text("name", 4 * MAX_CHARS),  # may be spelled longer than it is kept
                form.file("audio_sample"),
                form.text("consent", MAX_CONSENT_CHARS),
            )
        return JsonResponse(body_of(voice))

    @router.get(f"{URL}/{{voice_id}}", response_model=None, responses=_VOICE)
    async def one_voice(request: Request, voice_id: str) -> Response:
        """One voice, by its id."""
        return JsonResponse(body_of(await voices.get(caller_of(request), voice_id)))

    @router.patch(
        f"{URL}/{{voice_id}}",
        response_model=None,
        responses=_VOICE,
        openapi_extra=_CHANGE,
        dependencies=makers,
    )
    async def change_voice(request: Request, voice_id: str) -> Response:
        """Change the name or the aliases of a voice that a caller made."""
        changes = parse(VoiceChanges, await read_object(request, MAX_CHANGE_BYTES))
        aliases = None if changes.aliases is None else tuple(changes.aliases)
        voice = await voices.change(caller_of(request), voice_id, changes.name, aliases)
        return JsonResponse(body_of(voice))

    @router.delete(
        f"{URL}/{{voice_id}}",
        response_model=None,
        responses=answer(DeletedVoice),
        dependencies=makers,
    )
    async def delete_voice(request: Request, voice_id: str) -> Response:
        """Half a second after the answer, no request can use the voice any more."""
        await voices.delete(caller_of(request), voice_id)
        return JsonResponse(DeletedVoice(id=voice_id))

    @router.get(
        f"{URL}/{{voice_id}}/preview",
        response_model=None,
        responses=WAV_PREVIEW,
        dependencies=[require_role(Role.SPEAK)],
    )
    async def preview(request: Request, voice_id: str) -> Response:
        """A sample sentence in this voice, as a WAV file. Every request gets the same file, or the
        part of it that its header Range asks for."""
        caller = caller_of(request)
        voice = await voices.get(caller, voice_id)
        fields = SpeechOptionFields(response_format="wav", seed=SEED)
        options = planner.options(fields, voice.ref, caller)
        job = await planner.job(TEXT, options, request.state.request_id)
        return PreviewResponse(services, previews, job)

    return router
