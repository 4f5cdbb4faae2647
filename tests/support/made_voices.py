"""Two tenants who make voices of recordings over HTTP."""

from tests.support.api_keys import bearer_of, key
from tests.support.hostile_uploads import GOOD, encoded

WAV = encoded(GOOD)
KEYS = (
    key("red", "red", "red", ("speak", "voices")),
    key("blue", "blue", "blue", ("speak", "voices")),
    key("listener", "listener", "red", ("speak",)),
)
RED, BLUE = bearer_of("red"), bearer_of("blue")
URL = "/v1/audio/voices"


def stored(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


async def add(client, headers=RED, name="Ann", sample=WAV, **fields):
    """Make a voice; a field of `...` is left out."""
    texts = {"name": name, "consent": "I am Ann and I agree.", **fields}
    form = {field: text for field, text in texts.items() if text is not ...}
    files = {"audio_sample": ("any.wav", sample, "audio/wav")}
    return await client.post(URL, data=form, files=files, headers=headers)
