"""What loadtests.chaos does to a server, one class for each kind of fault.

A fault is prepared before the callers come, inflicted while they speak, and undone. Knows nothing
about callers or verdicts.
"""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import psutil
import yaml

from loadtests.attackers import attacking
from loadtests.chaos_verdict import Harm
from loadtests.hogs import hogs
from loadtests.redeploying import changed, deploy, replicas
from loadtests.victim import Part, Victim

STOPPED_S = 6.0  # longer than the time in which /health must tell the truth
ATTACKED_S = 8.0
REDEPLOYED_WITHIN_S = 120.0
LEFT_FREE = 1000  # bytes of the full folder
NOTHING: tuple[str, ...] = ()


class Fault(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def harm(self) -> Harm: ...
    @property
    def silences(self) -> bool:
        """Whether nothing can be spoken while the fault is there."""

    @property
    def lasts_s(self) -> float: ...
    @property
    def bound_s(self) -> float:
        """From the undoing until service is back."""

    def missing(self, victim: Victim) -> str | None:
        """Why this fault cannot be inflicted here."""
        return None

    def prepare(self, victim: Victim) -> None:
        return

    def inflict(self, victim: Victim) -> None: ...

    def undo(self, victim: Victim) -> None:
        return

    def wrong(self, victim: Victim) -> Sequence[str]:
        """What went wrong by the fault's own look, once service is back."""
        return NOTHING

    def counted(self) -> str:
        """What the fault counted the last time, for the reader."""
        return ""


_HARM = {  # of a stop and of a kill
    Part.T3: (Harm.REFUSES, Harm.ENDS),
    Part.VOCODER: (Harm.REFUSES, Harm.ENDS),
    Part.INGRESS: (Harm.REFUSES, Harm.ENDS),
    Part.PROXY: (Harm.REFUSES, Harm.ENDS),
    Part.REGISTRY: (Harm.REFUSES, Harm.REFUSES),
    Part.ENROLLER: (Harm.NONE, Harm.NONE),
    Part.CONTROLLER: (Harm.NONE, Harm.NONE),
}
_SPEAKS = (Part.T3, Part.VOCODER, Part.INGRESS, Part.PROXY)  # without these nothing is spoken
_BOUND_S = {  # of a kill; a replica imports torch first, on a machine that its callers keep busy
    Part.T3: 60.0,
    Part.VOCODER: 60.0,
    Part.INGRESS: 45.0,
    Part.PROXY: 45.0,
    Part.REGISTRY: 20.0,
    Part.ENROLLER: 10.0,
    Part.CONTROLLER: 10.0,
}


@dataclass
class Signalled(Fault):
    """SIGKILL of a process, or SIGSTOP with SIGCONT after `lasts_s`."""

    part: Part
    kills: bool
    _stopped: list[psutil.Process] = field(default_factory=list, init=False)

    @property
    def name(self) -> str:
        return f"{'SIGKILL' if self.kills else 'SIGSTOP'} {self.part}"

    @property
    def harm(self) -> Harm:
        return _HARM[self.part][self.kills]

    @property
    def silences(self) -> bool:
        return self.part in _SPEAKS

    @property
    def lasts_s(self) -> float:
        return 0.0 if self.kills else STOPPED_S

    @property
    def bound_s(self) -> float:
        return _BOUND_S[self.part] if self.kills else 20.0

    def missing(self, victim: Victim) -> str | None:
        if self.part is Part.ENROLLER:
            return None if victim.uploads else "the server takes no uploads"
        return None if victim.processes(self.part) else f"no process is a {self.part}"

    def prepare(self, victim: Victim) -> None:
        if self.part is Part.ENROLLER:  # comes with the first upload, and goes when it is idle
            victim.start_upload()
            victim.end_upload()

    def inflict(self, victim: Victim) -> None:
        if self.part is Part.ENROLLER:
            victim.start_upload()
        self._stopped = victim.processes(self.part)
        if not self._stopped:
            raise RuntimeError(f"no process is a {self.part}")
        for process in self._stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL if self.kills else signal.SIGSTOP)

    def undo(self, victim: Victim) -> None:
        for process in self._stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)

    def wrong(self, victim: Victim) -> Sequence[str]:
        if self.part is Part.ENROLLER:
            victim.end_upload()
        return NOTHING

    def counted(self) -> str:
        return f"{len(self._stopped)} processes"


@dataclass
class Hogs(Fault):
    """Busy programs beside the server."""

    num: int = field(default_factory=lambda: os.cpu_count() or 2)
    name: str = "hogs"
    harm: Harm = Harm.NONE
    silences: bool = False
    lasts_s: float = ATTACKED_S
    bound_s: float = 10.0
    _undo: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, init=False)

    def inflict(self, victim: Victim) -> None:
        self._undo.enter_context(hogs(self.num))

    def undo(self, victim: Victim) -> None:
        self._undo.close()

    def counted(self) -> str:
        return f"{self.num} programs"


@dataclass
class Attacked(Fault):
    """Clients of another key that hold or flood the server (loadtests/attackers.py)."""

    attack: str
    num: int
    harm: Harm = Harm.NONE
    silences: bool = False
    lasts_s: float = ATTACKED_S
    bound_s: float = 15.0
    _undo: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, init=False)
    _answers: dict[str, object] = field(default_factory=dict, init=False)

    @property
    def name(self) -> str:
        return f"{self.num} {self.attack}"

    def inflict(self, victim: Victim) -> None:
        named = {"model": victim.bench.model, "voice": victim.bench.voice}
        attack = attacking(
            victim.bench.url, self.attack, self.num, victim.attackers_environment, **named
        )
        self._answers = self._undo.enter_context(attack)

    def undo(self, victim: Victim) -> None:
        self._undo.close()

    def counted(self) -> str:
        return str(self._answers.get("answers", ""))


@dataclass
class FullDisk(Fault):
    """The folder of the callers' voices has no room: an upload is refused, and leaves nothing."""

    name: str = "full disk of the uploads"
    harm: Harm = Harm.NONE
    silences: bool = False
    lasts_s: float = 4.0
    bound_s: float = 10.0
    _is_accepted: bool = field(default=False, init=False)

    def missing(self, victim: Victim) -> str | None:
        return None if victim.uploads else "no small file system could be mounted"

    def inflict(self, victim: Victim) -> None:
        assert victim.uploads is not None
        room = os.statvfs(victim.uploads)
        size = max(0, room.f_bavail * room.f_frsize - LEFT_FREE)
        (victim.uploads / "ballast").write_bytes(bytes(size))
        victim.start_upload()

    def undo(self, victim: Victim) -> None:
        assert victim.uploads is not None
        self._is_accepted = victim.end_upload() is not None
        (victim.uploads / "ballast").unlink()

    def wrong(self, victim: Victim) -> Sequence[str]:
        assert victim.uploads is not None
        wrong = [f"partial file: {path.name}" for path in victim.uploads.rglob("*.partial")]
        if self._is_accepted:
            wrong.append("an upload was accepted by a full disk")
        return wrong


@dataclass
class Redeployed(Fault):
    """`serve deploy` of a changed config: every replica is replaced."""

    name: str = "redeploy"
    harm: Harm = Harm.NONE
    silences: bool = False
    lasts_s: float = 25.0
    bound_s: float = 10.0
    _num_new: int = field(default=0, init=False)

    def missing(self, victim: Victim) -> str | None:
        return None if victim.server else "the server is another's"

    def inflict(self, victim: Victim) -> None:
        assert victim.server is not None
        assert victim.config is not None
        content = changed(yaml.safe_load(victim.config.read_text()))
        victim.config.write_text(yaml.safe_dump(content))
        before = replicas(victim.server)
        deploy(victim.server, victim.config)
        give_up_s = time.monotonic() + REDEPLOYED_WITHIN_S
        while before & replicas(victim.server) and time.monotonic() < give_up_s:
            time.sleep(1.0)
        self._num_new = len(replicas(victim.server) - before)

    def wrong(self, victim: Victim) -> Sequence[str]:
        return NOTHING if self._num_new else ("no replica was replaced",)

    def counted(self) -> str:
        return f"{self._num_new} new replicas"
