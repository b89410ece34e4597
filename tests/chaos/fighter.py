"""One runner in a round: its process, its output, and the blows to it and its cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clusterlib.hosts.proc import MARKER
from tests.chaos.processes import MARK, Seen, everyone_with, hit, look
from tests.chaos.scenario import Blow, Moment, Script, Strike, Victim

__all__ = ["ROOT", "Blowing", "Fighter", "start_runner"]

ROOT = Path(__file__).resolve().parents[2]
OWN_VARIABLES = ("CLUSTERLIB_NAME", "CLUSTERLIB_PROJECT", "CLUSTERLIB_PROFILE", MARKER)


def start_runner(project: Path, script: dict[str, Any], mark: str, log: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
    environment |= {
        MARK: mark,
        "CLUSTERLIB_CONTAINMENT": str(script.get("rung", "auto")),
        "CLUSTERLIB_CHAOS_CHILDREN": "yes" if script.get("children", True) else "no",
    }
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.runner", str(project), json.dumps(script)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )


class Blowing:
    """A planned strike. It waits for its moment; a pause is ended again."""

    def __init__(self, strike: Strike) -> None:
        self.strike = strike
        self.target: Seen | None = None
        self.fell: float | None = None
        self.over = False
        self.outcome = "missed: its moment never came"

    @property
    def landed(self) -> bool:
        return self.target is not None


class Fighter:
    def __init__(self, script: Script, project: Path, mark: str) -> None:
        self.script = script
        self.project = project
        self.log = project / f"runner-{script.worker}.jsonl"
        self.blows = [Blowing(strike) for strike in script.strikes]
        self.actions: list[str] = []
        self.began = time.monotonic()
        self._mark = f"{mark}.{script.worker}"
        self.process = start_runner(project, asdict(script), self._mark, self.log)
        self._seen = look(self.process.pid)
        self._read = 0
        self._partial = b""
        self.news: list[dict[str, Any]] = []
        self.running_since: float | None = None
        self.status: dict[str, Any] | None = None

    def __str__(self) -> str:
        kind = "simulated" if self.script.simulate else "real"
        life = "held" if self.script.hold else "kept"
        return f"{self.script.name} ({self.script.nodes} {kind} nodes, {life}, {self.script.rung})"

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def struck(self) -> bool:
        return any(blow.landed for blow in self.blows)

    @property
    def frozen(self) -> bool:
        return any(blow.landed and blow.strike.blow is Blow.FREEZE for blow in self.blows)

    @property
    def needs_the_next_up(self) -> bool:
        """Whether keeper and guard may both have been killed. The next `up` removes what they
        leave."""
        fatal = [b.strike.victim for b in self.blows if b.landed and b.strike.blow is not Blow.STUN]
        return len(set(fatal) & {Victim.KEEPER, Victim.GUARD}) == 2 or fatal.count(Victim.ANYBODY) == 2

    def step(self) -> bool:
        """Does what is due now. True if nothing more will happen until its frozen cluster is
        ended."""
        self.listen()
        for blow in self.blows:
            self._advance(blow)
        return (self.ended or self.frozen) and all(blow.over for blow in self.blows)

    def listen(self) -> None:
        """Reads what the runner has said since."""
        with self.log.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        self._read += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            try:
                news = json.loads(line)
            except ValueError:
                news = {"what": "printed", "line": line.decode(errors="replace")}
            self.news.append(news)
            if news.get("status"):
                self.status = news["status"]
                self.running_since = self.running_since or time.monotonic()

    def finish(self) -> None:
        """Ends the runner, whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.listen()

    # -- blows

    def _advance(self, blow: Blowing) -> None:
        if blow.over:
            return
        strike = blow.strike
        if blow.fell is not None:
            if time.monotonic() >= blow.fell + strike.hold:
                self._lift(blow)
            return
        since = self.began if strike.moment is Moment.STARTING else self.running_since
        if since is None:
            blow.over = self.ended
        elif time.monotonic() >= since + strike.delay:
            self._fall(blow)

    def _fall(self, blow: Blowing) -> None:
        target = self._find(blow.strike)
        if target is None and not self.ended:
            return  # not born yet: its moment is still to come
        blow.fell = time.monotonic()
        kills = blow.strike.blow is Blow.KILL
        if target is None or not hit(target, signal.SIGKILL if kills else signal.SIGSTOP):
            blow.over = True
            blow.outcome = "missed: it was gone"
        else:
            blow.target = target
            blow.over = kills
            blow.outcome = f"hit pid {target.pid} ({target.command})"
        self._note(f"{blow.strike}: {blow.outcome}")

    def _lift(self, blow: Blowing) -> None:
        """What follows a pause. One that lasts is left to the next `down`."""
        assert blow.target is not None
        blow.over = True
        if blow.strike.blow is Blow.STUN:
            hit(blow.target, signal.SIGCONT)
            self._note(f"{blow.strike.victim} continued")
        elif blow.strike.blow is Blow.STRANGLE:
            hit(blow.target, signal.SIGKILL)
            self._note(f"{blow.strike.victim} killed after its pause")

    def _find(self, strike: Strike) -> Seen | None:
        if strike.victim is Victim.RUNNER:
            return None if self.ended else self._seen
        if strike.victim is Victim.ANYBODY:
            return self._anybody(strike.choice)
        status = self.status
        if status is None:
            return None
        keeper = status["keeper"]
        if strike.victim is Victim.NODE:
            pids = [node["pid"] for node in status["nodes"] if node["pid"]]
        else:
            pids = [keeper["pid"] if strike.victim is Victim.KEEPER else keeper["guard"]]
        if not pids:
            return None
        seen = look(pids[strike.choice % len(pids)])
        # The PID was told some time ago: only a process of this very cluster may be hit.
        return seen if seen is not None and seen.marker == status["marker"] else None

    def _anybody(self, choice: int) -> Seen | None:
        """Some process that this runner has started, however deep below."""
        mine = [seen for seen in everyone_with(MARK, self._mark) if seen.marker is not None]
        mine.sort(key=lambda seen: (seen.started, seen.pid))
        return mine[choice % len(mine)] if mine else None

    def _note(self, text: str) -> None:
        self.actions.append(f"{time.monotonic() - self.began:7.3f} s  {self.script.name}: {text}")
