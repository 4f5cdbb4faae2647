"""The routes that unload the served model and load it again."""

import pytest

from tests.support.api_clients import in_process
from tests.support.fakes import ENGLISH, MULTILINGUAL, TURBO, FakeSynthesizer


class Loader:
    """A ModelLoader that notes its calls."""

    def __init__(self):
        self.asked = []

    async def load(self):
        self.asked.append("load")

    async def unload(self):
        self.asked.append("unload")


async def post(path, card, loader=None):
    async with in_process(FakeSynthesizer(card), loader=loader) as client:
        return await client.post(path)


@pytest.mark.parametrize("card", [ENGLISH, TURBO, MULTILINGUAL], ids=lambda card: card.family)
@pytest.mark.parametrize("path", ["/api/tts_load", "/api/load_tts", "/v1/models/{}/load"])
async def test_a_model_of_any_family_is_loaded(card, path):
    loader = Loader()
    response = await post(path.format(card.name), card, loader)
    assert response.json() == {"model": card.name, "family": card.family, "loaded": True}
    assert loader.asked == ["load"]


@pytest.mark.parametrize("path", ["/api/unload_tts", "/api/tts_unload", "/v1/models/{}/unload"])
async def test_an_unload_answers_when_it_is_done(path):
    loader = Loader()
    response = await post(path.format(ENGLISH.name), ENGLISH, loader)
    assert response.json() == {"model": ENGLISH.name, "loaded": False}
    assert loader.asked == ["unload"]


@pytest.mark.parametrize("card", [TURBO, MULTILINGUAL], ids=lambda card: card.family)
async def test_the_route_of_a_family_loads_the_served_model_of_that_family(card):
    loader = Loader()
    response = await post(f"/api/tts_load_{card.family}", card, loader)
    assert response.json() == {"model": card.name, "family": card.family, "loaded": True}
    assert loader.asked == ["load"]


@pytest.mark.parametrize(
    ("family", "card"), [("turbo", ENGLISH), ("turbo", MULTILINGUAL), ("multilingual", ENGLISH)]
)
async def test_the_route_of_another_family_names_the_route_that_works(family, card):
    loader = Loader()
    response = await post(f"/api/tts_load_{family}", card, loader)
    assert (response.status_code, loader.asked) == (501, [])
    message = response.json()["error"]["message"]
    assert card.family in message
    named = message.split("POST ")[1].split()[0]
    assert (await post(named, card, loader)).json()["loaded"] is True
    assert loader.asked == ["load"]


@pytest.mark.parametrize("act", ["load", "unload"])
async def test_an_unknown_model_is_neither_loaded_nor_unloaded(act):
    loader = Loader()
    response = await post(f"/v1/models/nobody/{act}", ENGLISH, loader)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    assert loader.asked == []


async def test_a_model_that_stays_in_memory_is_loaded_and_cannot_be_unloaded():
    assert (await post("/api/tts_load", ENGLISH)).json()["loaded"] is True
    refused = await post("/v1/models/english/unload", ENGLISH)
    assert (refused.status_code, refused.json()["error"]["code"]) == (501, "not_served")
