"""The voices that other vendors' clients name unless they are told another: the defaults and the
examples of the SDKs and the plugins of agent frameworks (cartesia 4.2.0, deepgram-sdk 7.16.0,
elevenlabs 2.78.0, livekit-agents 1.8.9, pipecat-ai 1.14.0, 2026-11-29)."""

CARTESIA_VOICES = (
    "f786b574-daa5-4673-aa0c-cbe3e8534c02",
    "6ccbfb76-1fc6-48f7-b71d-91ac6298247b",
    "e07c00bc-4134-4eae-9ea4-1a55fb45746b",
)
ELEVENLABS_VOICES = (
    "hpp4J3VqNfWAUOO0d1Us",
    "21m00Tcm4TlvDq8ikWAM",
    "JBFqnCBsd6RMkjVDRZzb",
)
DEEPGRAM_VOICES = (
    "aura-2-andromeda-en",
    "aura-2-helena-en",
    "aura-2-thalia-en",
    "aura-asteria-en",
)
VENDOR_VOICES = (*CARTESIA_VOICES, *ELEVENLABS_VOICES, *DEEPGRAM_VOICES)
