"""The contract of drivers, as tests for authors of a driver.

    from clusterlib.contract import DriverContract


    class TestCounter(DriverContract):
        profile = "counter"

pytest then runs a test for each promise. Each is kept by a keeper process of its own, with three
real nodes of that profile.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import ClassVar

from clusterlib.values.overrides import Overrides

__all__ = ["DriverContract"]

SECONDS = 120.0


class DriverContract:
    """What every driver promises. A subclass says whose nodes are tried, by a profile."""

    profile: ClassVar[str]
    """The name of a profile of the driver, or the path of its file."""
    project: ClassVar[Path | str | None] = None
    """The folder of the project that the profile belongs to. None: the current folder."""
    overrides: ClassVar[Overrides] = {}
    """Settings that differ from the profile: `{"simulate": True}`."""
    waits_at: ClassVar[str] = "joined"
    """The rung of the ladder on which a node waits for the others."""
    alone: ClassVar[float] = 1.0
    """Seconds after which a node without the others has surely reached that rung."""

    def test_nodes_climb_until_every_node_sees_every_node(self, tmp_path: Path) -> None:
        self._keep("nodes_climb_until_every_node_sees_every_node", tmp_path)

    def test_a_node_alone_waits_for_the_others_and_says_why(self, tmp_path: Path) -> None:
        self._keep("a_node_alone_waits_for_the_others_and_says_why", tmp_path)

    def test_a_node_ends_when_it_is_asked_to_stop(self, tmp_path: Path) -> None:
        self._keep("a_node_ends_when_it_is_asked_to_stop", tmp_path)

    def test_the_others_notice_when_a_node_is_killed_and_when_it_is_back(self, tmp_path: Path) -> None:
        self._keep("the_others_notice_when_a_node_is_killed_and_when_it_is_back", tmp_path)

    def test_a_new_roster_is_accepted_without_disturbance(self, tmp_path: Path) -> None:
        self._keep("a_new_roster_is_accepted_without_disturbance", tmp_path)

    def test_a_link_may_be_closed_twice_and_asked_when_closed(self, tmp_path: Path) -> None:
        self._keep("a_link_may_be_closed_twice_and_asked_when_closed", tmp_path)

    def test_new_nodes_have_loaded_nothing_that_has_changed(self, tmp_path: Path) -> None:
        self._keep("new_nodes_have_loaded_nothing_that_has_changed", tmp_path)

    def test_a_stolen_port_is_distinguished_from_other_failures(self, tmp_path: Path) -> None:
        self._keep("a_stolen_port_is_distinguished_from_other_failures", tmp_path)

    def _keep(self, promise: str, folder: Path) -> None:
        from clusterlib.contract.trial import ContractTrial
        from clusterlib.hosts.launch import run_aside
        from clusterlib.hosts.proc import MARKER, marked
        from clusterlib.messages.codec import plain

        marker, output = os.urandom(8).hex(), folder / "output.txt"
        project = Path.cwd() if self.project is None else Path(self.project)
        trial = ContractTrial(
            promise=promise,
            profile=self.profile,
            project=str(project.absolute()),
            overrides=self.overrides,
            waits_at=self.waits_at,
            alone=self.alone,
            folder=str(folder),
        )
        command = [sys.executable, "-P", "-m", "clusterlib.contract", json.dumps(plain(trial))]
        environment = {**os.environ, MARKER: marker}
        code = run_aside(command, environment=environment, directory=project, output=output, timeout=SECONDS)
        said = output.read_text(errors="replace")
        assert code == 0, f"{shlex.join(command)} ended with {code}:\n{said}"
        assert marked(marker) == [], "processes of the nodes are left"
