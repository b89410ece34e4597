"""The table of artifacts: each file and folder that a test run leaves, its content, and its writer.

The claim of a folder, the copies in it, the links of the report and docs/artifacts.md all use this
table. Every place of an artifact is made by its entry (`in_`, `make`). Files in a folder need no
entry of their own."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from clusterlib.frozen import frozen
from clusterlib.hosts.places import make_private, write_private

__all__ = [
    "CLUSTERS",
    "CLUSTER_XML",
    "ENVIRONMENT",
    "EVENTS",
    "JUNIT",
    "KEEPER_LOG",
    "LOGS",
    "MARK",
    "MEMORY",
    "OF_A_CLUSTER",
    "OF_THE_RUN",
    "PLAN",
    "PLAN_OF_A_CLUSTER",
    "RECORDS",
    "RENDERED",
    "REPORT",
    "SAMPLES",
    "STATE",
    "SUMMARY",
    "Artifact",
    "Cleaning",
    "Maker",
]


class Maker(StrEnum):
    RUN = "the test run, while it goes on"
    COPY = "copied from the folder of the cluster's run"
    REPORT = "made from records and copies, at any time"
    PYTEST = "written by pytest, or else made from records"


class Cleaning(StrEnum):
    """How secrets are removed before anything is written."""

    LINES = "line by line, as JSON"
    DOCUMENT = "as one JSON document"
    TEXT = "as text"
    SOURCE = "not here: it is made from what is clean"


@frozen
class Artifact:
    """A file, or a folder of files of one kind."""

    name: str
    about: str
    maker: Maker
    cleaning: Cleaning = Cleaning.SOURCE
    inside: str | None = None
    """The content of a folder: the pattern of names for people."""

    @property
    def is_folder(self) -> bool:
        return self.inside is not None

    @property
    def is_internal(self) -> bool:
        """Whether it is of no use to people."""
        return self.name.startswith(".")

    @property
    def label(self) -> str:
        return f"{self.name}/" if self.is_folder else self.name

    def in_(self, folder: Path) -> Path:
        return folder / self.name

    def write(self, folder: Path, text: str) -> None:
        """As a whole, for its owner only."""
        assert not self.is_folder, f"{self.name} is a folder"
        write_private(self.in_(folder), text)

    def write_part(self, folder: Path, name: str, text: str) -> None:
        """A file in it."""
        assert self.is_folder, f"{self.name} is a file"
        write_private(self.in_(folder) / name, text)

    def make(self, folder: Path) -> Path:
        """The folder, private."""
        assert self.is_folder, f"{self.name} is a file"
        make_private(self.in_(folder))
        return self.in_(folder)


def _made(name: str, about: str) -> Artifact:
    return Artifact(name, about, Maker.REPORT)


def _copied(name: str, about: str, cleaning: Cleaning, inside: str | None = None) -> Artifact:
    return Artifact(name, about, Maker.COPY, cleaning, inside)


# -- of a run of tests

REPORT = _made("report.html", "open this first: failures with cause and remedies, the timeline, the logs")
JUNIT = Artifact(
    "junit.xml",
    "the tests: what pytest wrote here, else those that used a cluster, and all that failed",
    Maker.PYTEST,
)
CLUSTER_XML = _made(
    "cluster.xml", "the life of the clusters as JUnit: pre-flight, each node's start, health, clean-up"
)
SUMMARY = _made(
    "summary.json", "the verdict, failures with cause, problems with remedies, clusters: for scripts"
)
PLAN = _made("plan.json", "which cluster was to serve which tests")
ENVIRONMENT = Artifact(
    "environment.json",
    "Python, system, versions, machine, CI, the variables that steer clusterlib",
    Maker.REPORT,
    Cleaning.DOCUMENT,
)
RECORDS = Artifact(
    "records",
    "the raw evidence: one line of JSON for each event, one file for each process",
    Maker.RUN,
    Cleaning.LINES,
    inside="",
)
CLUSTERS = Artifact(
    "clusters", "what was copied of each run of a cluster", Maker.COPY, inside="<name>/<run>/"
)
MARK = Artifact(
    ".clusterlib-artifacts",
    "marks files of these names as made by a run, and holds the lock of the run that writes them",
    Maker.RUN,
)
OF_THE_RUN = (REPORT, JUNIT, CLUSTER_XML, SUMMARY, PLAN, ENVIRONMENT, RECORDS, CLUSTERS, MARK)

# -- of a run of a cluster, below clusters/<name>/<run>/

EVENTS = _copied("events.jsonl", "the events of the cluster, written by its keeper", Cleaning.LINES)
SAMPLES = _copied("samples.jsonl", "memory and processor time of each node, over time", Cleaning.LINES)
STATE = _copied("state.json", "the last state of the cluster and its nodes", Cleaning.DOCUMENT)
PLAN_OF_A_CLUSTER = _copied("plan.json", "the plan that the cluster was started from", Cleaning.DOCUMENT)
KEEPER_LOG = _copied("keeper.log", "what the keeper printed", Cleaning.TEXT)
LOGS = _copied("logs", "what the node printed, each line with its time", Cleaning.TEXT, "<node>.log")
RENDERED = _copied("configs", "the files that were rendered for it", Cleaning.TEXT, "<node>/")
MEMORY = Artifact(".collected", "how far these files have been copied", Maker.COPY)
OF_A_CLUSTER = (EVENTS, SAMPLES, STATE, PLAN_OF_A_CLUSTER, KEEPER_LOG, LOGS, RENDERED, MEMORY)
