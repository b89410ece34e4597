"""The table of artifacts has all that a run leaves, and the documentation shows it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import clusterlib.evidence
from clusterlib.errors import UsageError
from clusterlib.evidence.artifacts import (
    CLUSTERS,
    JUNIT,
    MARK,
    OF_A_CLUSTER,
    OF_THE_RUN,
    REPORT,
    Artifact,
)
from clusterlib.evidence.claiming import claim
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.recorder import Recorder
from clusterlib.evidence.records import ClusterObtained, RunStarted, ScheduleRecorded, TestEnded
from clusterlib.evidence.reporting import finish

ROOM = Path(clusterlib.evidence.__file__).parent
DOCUMENT = Path(clusterlib.evidence.__file__).parents[2] / "docs" / "artifacts.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Everything that a run can leave: a claim, records, a cluster, and all that is made of
    them."""
    run = tmp_path / ".clusterlib" / "pytest" / "run1"
    (run / "nodes" / "node1").mkdir(parents=True)
    for name in ("events.jsonl", "samples.jsonl", "state.json", "plan.json", "keeper.log"):
        (run / name).write_text("{}\n")
    (run / "nodes" / "node1.log").write_text("hello\n")
    (run / "nodes" / "node1" / "node.json").write_text("{}")
    folder = tmp_path / "artifacts"
    claimed = claim(folder)
    assert claimed is not None
    record = Recorder(folder, environ={})
    record(RunStarted(("pytest",), str(tmp_path)))
    record(ScheduleRecorded())
    record(ClusterObtained("pytest", str(run), "dev", 1, 0.1))
    record(TestEnded("pytest", str(run), "t::a", outcome=Outcome.FAILED))
    record.close()
    finish(folder, {}, junit=True)
    claimed.close()
    return folder


def of_cluster(folder: Path) -> Path:
    return CLUSTERS.in_(folder) / "pytest" / "run1"


def test_the_table_has_all_that_a_run_leaves_and_nothing_else(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {one.name for one in OF_THE_RUN}
    assert {path.name for path in of_cluster(folder).iterdir()} == {one.name for one in OF_A_CLUSTER}
    for one in OF_THE_RUN:
        assert one.in_(folder).is_dir() == one.is_folder
    for one in OF_A_CLUSTER:
        assert one.in_(of_cluster(folder)).is_dir() == one.is_folder


def test_the_next_run_removes_everything_that_an_earlier_one_has_made(folder: Path) -> None:
    claimed = claim(folder)
    assert claimed is not None
    claimed.close()

    assert [path.name for path in folder.iterdir()] == [MARK.name]


@pytest.mark.parametrize(
    "one", [one for one in OF_THE_RUN if one not in {MARK, JUNIT}], ids=lambda one: one.name
)
def test_a_folder_that_has_one_of_these_names_from_elsewhere_is_refused(
    tmp_path: Path, one: Artifact
) -> None:
    (tmp_path / one.name).touch()

    with pytest.raises(UsageError, match=f"has {one.name} already"):
        claim(tmp_path)


def test_the_report_links_all_others_that_people_read(folder: Path) -> None:
    page = REPORT.in_(folder).read_text()

    links = {one.label for one in OF_THE_RUN if f'<a href="{one.label}">' in page.partition("Beside it:")[2]}
    assert links == {one.label for one in OF_THE_RUN if not one.is_internal} - {REPORT.label}


def test_the_documentation_shows_the_table() -> None:
    document = DOCUMENT.read_text()

    lines = [
        f"    {one.label:<20}{one.about}" for one in OF_THE_RUN if not one.is_internal and one != CLUSTERS
    ]
    assert "\n".join(["<folder>/", *lines, f"    {CLUSTERS.label}{CLUSTERS.inside}\n"]) in document
    for one in OF_A_CLUSTER:
        if not one.is_internal:
            assert f"        {one.label + (one.inside or ''):<20}{one.about}\n" in document
    assert f"`{MARK.name}`" in document


def writes(module: Path) -> Iterator[str]:
    """What in a module writes a file other than by an entry of the table."""
    for node in ast.walk(ast.parse(module.read_text())):
        name = getattr(node, "id", None) or getattr(node, "attr", None)
        if name in {"write_private", "write_text", "write_bytes", "O_CREAT", "mkdir", "copyfile", "rename"}:
            yield str(name)


def test_in_evidence_files_are_written_by_entries_of_the_table_only() -> None:
    """The recorder and the collector append to places of the table; a claim makes the folder."""
    allowed = {"artifacts.py", "recorder.py", "collecting.py", "claiming.py"}

    found = {path.name: [*writes(path)] for path in ROOM.glob("*.py") if path.name not in allowed}

    assert {name: calls for name, calls in found.items() if calls} == {}


def test_no_other_file_of_the_room_spells_the_name_of_an_artifact() -> None:
    names = [one.name for one in (*OF_THE_RUN, *OF_A_CLUSTER) if "." in one.name]
    texts = {path.name: path.read_text() for path in (*ROOM.glob("*.py"), *ROOM.glob("page/*.j2"))}
    del texts["artifacts.py"]

    found = {
        f"{file}: {name}" for file, text in texts.items() for name in names if re.search(spelt(name), text)
    }

    assert found == set()


def spelt(name: str) -> str:
    """As a text in code, as a part of a path, or as a link."""
    return rf"[\"'/>]{re.escape(name)}[\"'<]"
