"""pytest's own JUnit file, with the output of the nodes of a failed test.

Among artifacts it has no secrets, and it is written completely or not at all, so that a killed run
does not leave half of one."""

from __future__ import annotations

import contextlib
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from _pytest.junitxml import bin_xml_escape, mangle_test_address, xml_key

from clusterlib.client.cluster import Cluster
from clusterlib.evidence.explained import shortened
from clusterlib.evidence.redaction import Redactor, redactor_for

__all__ = ["JUnitOutput", "carry", "whole"]

CARRIED = "clusterlib_said"
"""An attribute of a report: pytest-xdist brings it from the worker to the process that writes the
file."""
LONGEST = 200_000


def carry(report: pytest.TestReport, said: Sequence[tuple[str, str]], clusters: Sequence[Cluster]) -> None:
    """Adds the output of the nodes to the report: for the terminal, and for the file without
    secrets."""
    report.sections += said
    text = shortened("\n\n".join(f"{title}\n{body}" for title, body in said), LONGEST)
    runs = [cluster.run_folder.path for cluster in clusters]
    setattr(report, CARRIED, redactor_for(runs, os.environ).text(text))


class JUnitOutput:
    """A plugin that adds the output to the file.

    It runs before pytest's own hook, which closes the case after the last phase."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        writer: Any = self._config.stash.get(xml_key, None)
        said = getattr(report, CARRIED, "")
        if writer is not None and said:
            element = ET.Element("system-out")
            element.text = bin_xml_escape(said)
            writer.node_reporter(report).append(element)


@contextlib.contextmanager
def whole(config: pytest.Config, artifacts: Path) -> Iterator[None]:
    """Around the moment in which pytest writes it: it goes to a draft, which then takes the place
    of the file."""
    writer: Any = config.stash.get(xml_key, None)
    if writer is None or not _is_replaceable(Path(writer.logfile)):
        yield
        return
    wanted = Path(writer.logfile)
    draft = wanted.with_name(f"{wanted.name}.part")
    writer.logfile = str(draft)
    _name_the_unended(writer)
    try:
        yield
        if wanted.absolute().is_relative_to(artifacts):
            _clean(draft, artifacts)
        _put(draft, wanted)
    finally:
        writer.logfile = str(wanted)
        draft.unlink(missing_ok=True)


def _put(draft: Path, wanted: Path) -> None:
    try:
        draft.replace(wanted)
    except OSError:  # something is mounted at the file itself, as containers do
        wanted.write_bytes(draft.read_bytes())


def _name_the_unended(writer: Any) -> None:
    """pytest names a case when its test has ended.

    If the run breaks off before, there is a case without a name, which makes the file invalid."""
    for case in writer.node_reporters.values():
        if "name" not in case.attrs:
            *module, name = mangle_test_address(str(case.id))
            case.attrs.update(classname=bin_xml_escape(".".join(module)), name=bin_xml_escape(name))
            case.append(ET.Element("error", message="the run ended before this test did"))


def _is_replaceable(path: Path) -> bool:
    """False for /dev/stdout, a pipe or a link, and if no draft can be created."""
    if path.parent.is_dir() and not os.access(path.parent, os.W_OK | os.X_OK):
        return False
    return not path.is_symlink() and (path.is_file() or not path.exists())


def _clean(path: Path, artifacts: Path) -> None:
    """Removes the secrets. XML may have its own form for them, so the file is parsed as XML."""
    from clusterlib.evidence.evidence import named_runs
    from clusterlib.evidence.recorder import read_records

    redactor = redactor_for(named_runs(read_records(artifacts)), os.environ)
    tree = ET.parse(path)  # noqa: S314 - pytest has just written it
    for element in tree.iter():
        _clean_element(element, redactor)
    tree.write(path, encoding="utf-8", xml_declaration=True)


def _clean_element(element: ET.Element, redactor: Redactor) -> None:
    element.text = redactor.text(element.text) if element.text else element.text
    for name, value in element.attrib.items():
        element.set(name, redactor.text(value))
