"""A folder of artifacts belongs to one run at a time, which deletes nothing of anyone else."""

from __future__ import annotations

import resource
import stat
from pathlib import Path

import pytest

from clusterlib.errors import UsageError
from clusterlib.evidence.artifacts import MARK
from clusterlib.evidence.claiming import FolderClaim, claim
from clusterlib.evidence.recorder import Recorder


def claimed(folder: Path) -> FolderClaim:
    found = claim(folder)
    assert found is not None
    return found


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_that_is_made_for_artifacts_is_private(tmp_path: Path) -> None:
    claimed(tmp_path / "out" / "artifacts").close()

    assert stat.S_IMODE((tmp_path / "out" / "artifacts").stat().st_mode) == 0o700


def test_what_an_earlier_run_has_made_goes_and_everything_else_stays(tmp_path: Path) -> None:
    claimed(tmp_path).close()
    (tmp_path / "clusters").mkdir()
    (tmp_path / "report.html").touch()
    (tmp_path / "junit.xml").write_text('<testsuite name="recorded tests"/>')
    (tmp_path / "mine.txt").touch()

    claimed(tmp_path).close()

    assert names(tmp_path) == {MARK.name, "mine.txt"}


def test_what_pytest_has_written_itself_stays(tmp_path: Path) -> None:
    claimed(tmp_path).close()
    (tmp_path / "junit.xml").write_text('<testsuite name="pytest"/>')

    claimed(tmp_path).close()

    assert names(tmp_path) == {MARK.name, "junit.xml"}


@pytest.mark.parametrize("name", ["clusters", "records", "plan.json", "environment.json"])
def test_a_folder_with_something_of_its_users_under_a_name_of_ours_is_refused(
    tmp_path: Path, name: str
) -> None:
    """It would be overwritten now, and cleared away by the run after this one."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.txt").touch()

    for _ in range(2):
        with pytest.raises(UsageError, match=name):
            claim(tmp_path)

    assert names(tmp_path) == {name}
    assert names(tmp_path / name) == {"mine.txt"}


def test_a_folder_is_one_runs_at_a_time(tmp_path: Path) -> None:
    first = claimed(tmp_path)
    assert claim(tmp_path) is None

    first.close()
    with_a_writer = Recorder(tmp_path, "gw0")
    assert claim(tmp_path) is None, "a worker of a run whose controller is gone still writes"

    with_a_writer.close()
    claimed(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_told_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "artifacts").touch()

    with pytest.raises(UsageError, match="artifacts cannot be left in") as caught:
        claim(tmp_path / "artifacts")

    assert caught.value.cause
    assert caught.value.remedies == (f"ls -ld {tmp_path / 'artifacts'}",)


def test_a_full_disk_is_an_error_with_its_reason(tmp_path: Path) -> None:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, usual[1]))  # no file can get a byte
    try:
        with pytest.raises(UsageError, match="artifacts cannot be left in") as caught:
            claim(tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)

    assert caught.value.cause == "File too large"
    assert caught.value.remedies == (f"df -h {tmp_path / 'out'}",)
    claimed(tmp_path / "out").close()


def test_a_folder_with_the_name_of_a_file_of_ours_is_an_error(tmp_path: Path) -> None:
    claimed(tmp_path).close()
    (tmp_path / "report.html").mkdir()

    with pytest.raises(UsageError, match="artifacts cannot be left in") as caught:
        claim(tmp_path)

    assert "report.html" in str(caught.value.cause)


def test_a_mark_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    """In a folder that others may write to, it could lead to any file of ours."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARK.name).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UsageError):
        claim(tmp_path / "out")

    assert not (tmp_path / "elsewhere").exists()
