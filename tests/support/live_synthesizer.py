"""A Synthesizer whose sessions and their accounts are real, and whose sound is made up."""

import asyncio
import time
from dataclasses import replace

from app.config import Limits
from app.core import SAMPLES_PER_TOKEN, AudioChunk, FinishReason, Health, HealthStatus
from app.sessions.live import LiveSessions
from app.sessions.table import SessionTable
from app.sessions.transcripts import Transcripts
from tests.support.fakes import ENGLISH, tone

CHUNK_TOKENS = 5
ENDS_WITHIN_S = 2.0  # a session that was stopped; the machine may be busy


class LiveSynthesizer:
    """Each session has `num_chunks` chunks; each chunk takes `chunk_s` seconds to make."""

    def __init__(self, num_chunks=3, chunk_s=0.02, limits=None, words=(), sound=tone):
        """`words` (WordTime): of each session. They come with the chunk in which they begin.
        `sound`: gives a number of samples, from a first one on."""
        self.words = words
        self.sound = sound
        self.num_chunks = num_chunks
        self.chunk_s = chunk_s
        self.num_made = 0  # chunks, of all sessions
        self._keys = []
        self._table = SessionTable(300, 600, time.monotonic)
        self._transcripts = Transcripts(300, time.monotonic)
        self._sessions = LiveSessions(self, limits or Limits())

    def card(self):
        return ENGLISH

    def speak(self, request, words=None):
        return self._sessions.speak(request, self._chunks, words=words)

    async def _chunks(self, request):
        num_chunks = self.num_chunks  # a test may change it for the next session
        for index in range(num_chunks):
            await asyncio.sleep(self.chunk_s)
            start = index * CHUNK_TOKENS * SAMPLES_PER_TOKEN
            pcm = self.sound(CHUNK_TOKENS * SAMPLES_PER_TOKEN, start)
            finish = FinishReason.STOP if index + 1 == num_chunks else None
            num_tokens = (index + 1) * CHUNK_TOKENS
            self.num_made += 1
            words = tuple(w for w in self.words if start <= w.start < start + len(pcm))
            yield AudioChunk(request.key, 0, start, pcm, num_tokens, finish, words=words)

    async def hand_over(self, key, sending):
        await self._sessions.hand_over(key, sending)

    def reader_stalled(self, key):
        self._sessions.reader_stalled(key)

    def group(self, key):
        return self._sessions.groups.open(key)

    async def cancel(self, key, played_ms=None):
        """As an ingress alone: no engine has to confirm. Waits for the end of a live session."""
        session, state = self._table.cancel(key)
        if played_ms is not None:
            self._transcripts.played(key, played_ms)
        self._sessions.stop(key)
        give_up_s = time.monotonic() + ENDS_WITHIN_S
        while session.is_live and time.monotonic() < give_up_s:
            await asyncio.sleep(0)
        ack = session.ack(key.session_id, state, time.monotonic())
        return replace(ack, heard=self._transcripts.heard(key))

    async def interrupted(self, key, times):
        self._table.get(key).barge_in = times

    async def session(self, key):
        session = self._table.get(key)
        if session is None:
            return None
        return replace(session.report(key.session_id), heard=self._transcripts.reported(key))

    async def transcript(self, key):
        return self._transcripts.get(key)

    def reports(self):
        """Of all sessions, in order."""
        return [self._table.get(key).report(key.session_id) for key in self._keys]

    async def health(self):
        return Health(HealthStatus.OK)

    async def enrol(self, voice):
        """Every voice can be spoken with at once."""

    # RegistryClient

    async def claim(self, key, work):
        self._keys.append(key)
        return self._table.claim(key, work)

    async def wait_s(self, key):
        return 0.0

    def finish(self, key, end):
        self._table.finish(key, end)
        self._transcripts.keep(key, end)

    async def claim_group(self, key):
        return self._table.claim_group(key)

    def finish_group(self, key, end):
        self.finish(key, end)
