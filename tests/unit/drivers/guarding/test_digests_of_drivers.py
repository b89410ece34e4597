"""Drivers of several projects in one process, and the digest of a driver."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlib.drivers.registry import driver_of, kind_of
from clusterlib.errors import DriverUnusable
from clusterlib.hosts.fake import FakeHost
from tests.unit.drivers.guarding.odd_driver import (
    TEXT,
    Write,
    role,
)


def test_drivers_of_two_projects_with_one_name_are_two(write: Write, tmp_path: Path) -> None:
    roots = [tmp_path / "a", tmp_path / "b"]
    for number, root in enumerate(roots):
        root.mkdir()
        (root / "odd_driver.py").write_text(TEXT.replace("28000", f"2800{number}"))

    found = [kind_of("odd_driver:KIND", [str(root)]).ports["client"] for root in roots]

    assert found == ["28000-28999", "28001-28999"]


def test_every_module_of_its_package_is_part_of_its_digest(write: Write, tmp_path: Path) -> None:
    from clusterlib.drivers.external import digest_of

    folder = tmp_path / "odd_package"
    (folder / "inner").mkdir(parents=True)
    for name in ("__init__.py", "inner/__init__.py", "inner/late.py"):
        (folder / name).write_text("")
    (tmp_path / "odd_other.py").write_text("")
    (folder / "kind.py").write_text(
        TEXT.replace("OddDriver, calls", "OddDriver, modules=['odd_other'], calls")
    )
    digests = []
    for changed in ("", "odd_package/inner/late.py", "odd_other.py"):
        if changed:
            (tmp_path / changed).write_text("CHANGED = 1\n")
        digests.append(digest_of("odd_package.kind:KIND", [str(tmp_path)]))

    assert len(set(digests)) == 3


def test_a_keeper_refuses_a_driver_that_has_changed_since_the_plan(write: Write, tmp_path: Path) -> None:
    from dataclasses import replace

    write()
    with pytest.raises(DriverUnusable, match="has changed while the cluster was started"):
        driver_of(replace(role(tmp_path), driver_code="another"), FakeHost({}))
