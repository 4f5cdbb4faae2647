"""The configuration: parsed and checked once, then frozen. This is the only module that reads
environment variables. `ServeArgs` is `args:` in serve_config.yaml; an unknown key is an error."""

import os
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from app.agent_settings import DIALECTS, AgentLimits, DialectName
from app.errors import ConfigError
from app.hearing_settings import HearingSettings
from app.key_settings import AccessSettings, AdmissionSettings, KeySettings, SocketLimits
from app.realtime_settings import RealtimeSettings
from app.t3_settings import T3Settings

Device = Literal["auto", "cpu", "cuda"]
ContextPolicy = Literal["full", "window", "chunked"]
StartMode = Literal["smooth", "soonest"]
Enrolment = Literal["speech", "upstream"]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VocoderSettings(_Frozen):
    slots: int = Field(16, ge=1, le=1024, description="segments in work at the same time")
    dtype: Literal["float32", "int8"] = Field(
        "float32",
        description="int8: on a cpu, the weights of the flow's attentions and feed-forwards in a "
        "quarter of their memory, and float32 for all else",
    )
    threads: int | None = Field(
        None,
        ge=1,
        description="threads that compute, on a CPU; null: the whole CPUs of vocoder_cpus, at "
        "least one",
    )
    policy: ContextPolicy | None = Field(
        None,
        description="full: each cell sees the whole prefix; window: each cell computes the prompt "
        "and the left context anew; chunked: the same context, from caches; null: chunked where "
        "the model is as good with it, else window",
    )
    prompt_s: float = Field(
        3.0, gt=0, le=10, description="seconds of voice prompt to keep; not in full"
    )
    left_tokens: int = Field(25, ge=0, le=250, description="tokens of left context; not in full")
    voices_kept: int = Field(
        8,
        ge=1,
        description="chunked: voices whose computed prompts are kept; each takes 70 MB with turbo, "
        "690 MB with ten guided steps",
    )
    max_rows: int | None = Field(
        None, ge=1, description="cells in one vocoder call; null: 8 on a GPU, 1 on a CPU"
    )
    cells: tuple[Annotated[int, Field(ge=6, le=250)], ...] | None = Field(
        None,
        min_length=1,
        max_length=16,
        description="tokens in the first cells of a segment, each 6 to 250; the last size is "
        "repeated; null: chosen for the machine at the start, out of a few (docs/vocoder.md)",
    )
    halo_frames: int = Field(10, ge=4, le=30, description="mel frames HiFT sees past each border")
    euler_steps: int | None = Field(
        None, ge=1, le=50, description="steps of the flow; null: the model's own"
    )


class Limits(AgentLimits):
    max_text_chars: int = Field(4096, ge=1, le=100_000, description="characters of one text")
    max_segment_chars: int = Field(
        280,
        ge=40,
        le=1000,
        description="characters of one segment, which T3 speaks in one go; a model that breaks in "
        "long segments has fewer: turbo and nano 200, for 20 s",
    )
    request_timeout_s: float = Field(
        600.0,
        gt=0,
        description="a session that is not finished after this time is ended; the time in which a "
        "stream's sound plays does not count",
    )
    first_audio_s: float = Field(
        25.0,
        gt=0,
        description="a session without sound after this time is refused with 503; the time in "
        "which a recorded voice is prepared does not count",
    )
    start: StartMode = Field(
        "smooth",
        description="of streams that do not say. smooth: the first sound is held until the rest "
        "follows without a gap, in first_audio_s; soonest: the player is told how long to wait",
    )
    admit: Literal["smooth", "all"] = Field(
        "smooth",
        description="smooth: while streams run, a session that is one more than /health's capacity "
        "waits, at most first_audio_s, then 503; all: none waits",
    )
    step_timeout_s: float = Field(
        120.0, gt=0, description="a longer step of an engine counts as hung and ends the replica"
    )
    remember_s: float = Field(300.0, gt=0, description="time a finished session's id stays taken")
    send_ahead_s: float | None = Field(
        3.0, ge=1, description="how far a stream's sound is sent ahead of playback; null: no limit"
    )
    lead_s: float | None = Field(
        10.0,
        ge=4,
        description="how far T3 makes a stream's tokens ahead of playback, in seconds as they are "
        "heard; what a barge-in wastes at most; null: no limit",
    )
    stalled_reader_s: float = Field(
        10.0,
        ge=1,
        description="a client that takes no byte of its answer for this time is cut off, and its "
        "session ends as reader_stalled",
    )
    load_on_demand: bool = Field(
        True,
        description="whether a session loads a model that was unloaded, and waits for the model at "
        "most first_audio_s; false: 503 model_unloaded until an admin loads the model",
    )
    gcs_silence_s: float = Field(
        5.0,
        ge=2,
        description="every session ends as cluster_away where Ray's GCS has not answered for this "
        "time; where the GCS is fault tolerant, set it above the time of its restart",
    )
    body_s: float = Field(
        120.0, gt=0, description="a request's body that is not complete after this time: 408"
    )
    body_bytes_per_s: float = Field(
        1000.0,
        gt=0,
        description="bytes that a request's body must have in each second after its first ten, on "
        "average, else 408",
    )

    @property
    def live_s(self) -> float:
        """An id whose ingress died is free again after this time. No session lives longer."""
        return self.request_timeout_s + 60.0


class ServeArgs(_Frozen):
    model: str = Field(
        "embedded",
        description="embedded, embedded-babble, embedded-turbo, english, turbo, nano, "
        "multilingual, multilingual-v3, random-<one of the last five>, or a folder",
    )
    revision: str | None = Field(None, description="commit on the model hub; null: pinned one")
    device: Device = Field("auto", description="auto: cuda where the cluster has a GPU now")
    voices: str | None = Field(
        None, description="folder or fsspec URL of reference recordings; each file is a voice"
    )
    voices_cache: str | None = Field(
        None, description="folder or fsspec URL for prepared voices; null: beside the recordings"
    )
    uploads: str | None = Field(
        None, description="folder or fsspec URL for callers' voices and pronunciations; null: none"
    )
    enrolment: Enrolment = Field(
        "speech",
        description="speech: a recording is cut to its speech and set to the level that the model "
        "was made for, before it is enrolled; upstream: it is left as upstream's package leaves it",
    )
    voice_aliases: dict[str, str] = Field(
        {}, description="alias: voice; OpenAI's names not listed here are spread over the voices"
    )
    model_aliases: dict[str, str] = Field(
        {},
        description="alias: model; OpenAI's names not listed here mean the served model, and so do "
        "names that begin as those of Cartesia's and ElevenLabs' models do",
    )
    dialects: tuple[DialectName, ...] = Field(
        DIALECTS, description="other vendors' protocols that are served, docs/dialects.md"
    )
    t3: T3Settings = T3Settings()
    vocoder: VocoderSettings = VocoderSettings()
    limits: Limits = Limits()
    sockets: SocketLimits = SocketLimits()
    admission: AdmissionSettings = AdmissionSettings()
    access: AccessSettings = AccessSettings()
    hearing: HearingSettings | None = Field(
        None, description="null: the server does not hear, and /v1/realtime is not served"
    )
    realtime: RealtimeSettings = RealtimeSettings()
    topology: Literal["split", "colocated"] = Field(
        "split",
        description="split: T3 and the vocoder are separate processes; colocated: one process has "
        "both and the sum of their fractions; there are vocoder_replicas of it",
    )
    t3_gpus: float = Field(0.4, ge=0, description="GPU fraction of a T3 replica, on cuda")
    vocoder_gpus: float = Field(0.4, ge=0, description="GPU fraction of a vocoder replica, on cuda")
    t3_cpus: float = Field(0.5, ge=0, description="CPUs that Ray reserves for a T3 replica")
    vocoder_cpus: float = Field(0.5, ge=0, description="the same for a vocoder replica")
    t3_replicas: int = Field(1, ge=1, description="replicas of T3")
    vocoder_replicas: int = Field(1, ge=1, description="replicas of the vocoder")
    ingress_replicas: int = Field(1, ge=1, description="replicas of the ingress")
    hearing_cpus: float = Field(
        0.5, ge=0, description="CPUs that Ray reserves for a replica of the hearing"
    )
    hearing_replicas: int = Field(1, ge=1, description="replicas of the hearing")
    hearing_max_replicas: int | None = Field(
        None,
        ge=1,
        description="the hearing gets more replicas with more calls, up to this number; null: none",
    )
    registry_shards: int = Field(
        1, ge=1, le=64, description="registry actors; each has a part of the ids"
    )

    @model_validator(mode="after")
    def _one_number_where_colocated(self) -> "ServeArgs":
        if self.topology == "colocated" and self.t3_replicas != self.vocoder_replicas:
            raise ValueError("topology colocated: t3_replicas and vocoder_replicas must be equal")
        return self


def hub_token() -> str | None:
    """The access token of the model hub (HF_TOKEN), if the operator has set one."""
    return os.environ.get("HF_TOKEN") or None


def load_keys(access: AccessSettings) -> tuple[KeySettings, ...]:
    """The API keys from the keys file, else from CHATTERBOX_API_KEYS, which has the same form. A
    server without keys serves its own machine alone. Raises ConfigError."""
    content, source = os.environ.get("CHATTERBOX_API_KEYS", ""), "CHATTERBOX_API_KEYS"
    if access.keys_file is not None:
        source = access.keys_file
        try:
            content = Path(source).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"access.keys_file: cannot read {source}") from error
    elif not content.strip():
        return ()
    try:
        keys = TypeAdapter(tuple[KeySettings, ...]).validate_python(yaml.safe_load(content))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False, include_context=False)
        reasons = (f"key {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in errors)
        raise ConfigError(f"{source}: {'; '.join(reasons)}") from None
    except yaml.YAMLError:
        raise ConfigError(f"{source} is not valid YAML") from None
    if not keys:
        raise ConfigError(f"{source} holds no key; list at least one")
    return keys


def language_model_key() -> str | None:
    """The key of the realtime session's language model (CHATTERBOX_LLM_API_KEY), if it needs
    one."""
    return os.environ.get("CHATTERBOX_LLM_API_KEY") or None


def serves_through_haproxy() -> bool:
    """Whether Ray Serve uses HAProxy, which listens on every interface and ignores
    http_options.host."""
    return os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1"


def client_key() -> str | None:
    """The API key that the command line sends (CHATTERBOX_API_KEY), if its user has set one."""
    return os.environ.get("CHATTERBOX_API_KEY") or None


def let_onednn_keep(num_plans: int) -> None:
    """For the rest of the process. oneDNN reads the number at its first operation, so call this
    before. A number that the environment has stays."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(num_plans))
