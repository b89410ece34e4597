"""One session of the live prompt: what was chosen, and what a line does."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from traceback import print_exc

from clusterlib.doors.commands.carrying import carry_out
from clusterlib.doors.commands.command import look_again, troubles
from clusterlib.doors.console import Console
from clusterlib.doors.exits import FAILED, INTERRUPTED
from clusterlib.doors.program.live.destination import opened
from clusterlib.doors.program.live.help import chapter
from clusterlib.doors.program.live.line import TypedCommand, parse_line
from clusterlib.doors.program.live.secret_lines import may_have_secret
from clusterlib.doors.program.live.wording import OWN_WORDS, LiveWording
from clusterlib.doors.program.parsing import Call, parse
from clusterlib.errors import ClusterError, UsageError
from clusterlib.messages.effects import Effect
from clusterlib.operations.listing import SourceTrouble
from clusterlib.operations.live import ClusterGlance, glance
from clusterlib.remedies import DEFAULT_CLUSTER
from clusterlib.rundir.context import PersonContext, change_context, read_context
from clusterlib.rundir.folders import check_name

__all__ = ["LIVE", "LiveSession"]

LIVE = "cluster.live"
VARIABLE = "CLUSTERLIB_NAME"
"""Every operation takes the cluster from it, if none is named."""
TARGETS = frozenset({"clusters", "nodes", "processes"})
"""What can be taken away, as parameters complete it."""


class LiveSession:
    """With a person, choices are those of the last session, and for the next one. If the name of
    what is taken away was not typed, there is a question first."""

    def __init__(self, console: Console, project: Path, *, with_person: bool) -> None:
        self.console = console
        self.project = project
        self.ended = False
        self.secret = False
        """Whether a secret may be in the last line."""
        self._with_person = with_person
        self._context = read_context(project) if with_person else PersonContext()
        self._noted = set[SourceTrouble]()
        self._as_json = console.json
        self._before = os.environ.get(VARIABLE)
        if self._context.cluster and not self._before:
            with suppress(UsageError):  # the file may be damaged
                os.environ[VARIABLE] = check_name(self._context.cluster)

    def close(self) -> None:
        if self._before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = self._before

    # -- what is chosen

    @property
    def cluster(self) -> str:
        return os.environ.get(VARIABLE) or DEFAULT_CLUSTER

    @property
    def node(self) -> str:
        return self._context.nodes.get(self.cluster, "")

    def glance(self) -> ClusterGlance:
        return glance(self.project, self.cluster)

    def use(self, cluster: str) -> None:
        os.environ[VARIABLE] = check_name(cluster)
        self._change(lambda context: context.of_cluster(cluster))

    def choose_node(self, node: str) -> None:
        """An empty name chooses none."""
        cluster = self.cluster
        self._change(lambda context: context.of_node(cluster, node))

    def _change(self, change: Callable[[PersonContext], PersonContext]) -> None:
        self._context = change(self._context)
        if not self._with_person:
            return
        try:
            changed = change_context(self.project, change)
        except (OSError, ClusterError) as error:
            self.console.note(f"this is not remembered: {error}")
        else:
            self._context = changed.of_cluster(self.cluster)

    # -- what a line does

    def news(self) -> list[str]:
        """What has become wrong with the operations of the project since the last time."""
        look_again()
        known, self._noted = self._noted, set(troubles())
        return [str(one) for one in troubles() if one not in known]

    def carry_out(self, line: str) -> int:
        """Returns the exit code of the last command, or of the first that failed."""
        self.secret = True  # until it is known
        try:
            if self._with_person:
                look_again()
                self.secret = may_have_secret(line)
            return self._carried_out_all(line)
        except UsageError as error:
            self.console.error(error)
            return error.exit_code
        except KeyboardInterrupt:  # while files of the project were looked at
            self.console.interrupted()
            return INTERRUPTED

    def _carried_out_all(self, line: str) -> int:
        code = 0
        for one in parse_line(line):
            code = self._command(one)
            if code or self.ended:
                break
        return code

    def _command(self, typed: TypedCommand) -> int:
        look_again()  # at the operations of the project, which may have changed
        self.console.json = self._as_json
        try:
            if typed.words[0] in OWN_WORDS:
                return self._own(typed)
            return self._operation(typed)
        except ClusterError as error:
            self.console.error(error)
            return error.exit_code
        except Exception:  # of an operation, which a person may be writing just now
            if not self._with_person:
                raise
            print_exc(file=self.console.err)
            return FAILED

    def _operation(self, typed: TypedCommand) -> int:
        call = parse(typed.words, LiveWording())
        if call.wants_help:
            return self._help(typed.words[:-1])
        if call.command.full_name == LIVE:
            raise UsageError("this is the live prompt already", remedies=["help"])
        named = _names_target(call)
        self._fill_in(call)
        if not named and not self._may(call):
            return 0
        if typed.destination is None:
            self.console.json = bool(call.given.pop("json", False)) or self._as_json
            return self._carried_out(call, self.console, typed)
        call.given.pop("json", None)
        with opened(typed.destination, self.console) as (console, ending):
            return ending(self._carried_out(call, console, typed))

    def _carried_out(self, call: Call, console: Console, typed: TypedCommand) -> int:
        console.remainder = list(call.rest)
        return carry_out(call.command, console, call.given, typed.words)

    def _fill_in(self, call: Call) -> None:
        """The chosen node, where an operation takes one and none is named."""
        wants = any(one.name == "node" and one.completes == "nodes" for one in call.command.options)
        if wants and self.node and "node" not in call.given and "name" not in call.given:
            call.given["node"] = self.node

    def _may(self, call: Call) -> bool:
        """Whether a person wants it for what was only chosen."""
        destroys = call.command.operation.effect is Effect.DESTROY and "dry_run" not in call.given
        if not self._with_person or not destroys:
            return True
        what = f"{self.node} of cluster {self.cluster}" if "node" in call.given else f"cluster {self.cluster}"
        return self.console.confirms(f"{LiveWording().name(call.command.full_name)}, for {what}?")

    # -- its own words

    def _own(self, typed: TypedCommand) -> int:
        word, *others = typed.words
        if typed.destination is not None:
            raise UsageError(f"{word} has no answer that could be written")
        if word in {"exit", "quit"}:
            self.ended = True
            return 0
        if word == "help":
            return self._help(others)
        if len(others) > 1 or any(one.startswith("-") for one in others):
            raise UsageError(f"{word} takes one name", remedies=[f"help {word}"])
        if word == "use":
            if not others:
                raise UsageError("use needs the name of a cluster", remedies=["status", "help use"])
            self.use(others[0])
        else:
            self.choose_node(others[0] if others else "")
        return 0

    def _help(self, words: list[str] | tuple[str, ...]) -> int:
        self.console.line(chapter(words, self.console.width))
        return 0


def _names_target(call: Call) -> bool:
    """Whether it was typed what the operation is about. Other options, as `--fresh`, do not say
    it."""
    targets = {one.name for one in call.command.options if one.completes in TARGETS} | {"all"}
    return bool(targets & call.given.keys())
