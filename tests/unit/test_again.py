"""The program that runs the suite again and again."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from tests.again import main

FAILS_THE_THIRD_TIME = """
import os, pathlib, sys
counter = pathlib.Path(sys.argv[1])
number = len(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text("x" * number)
pathlib.Path(os.environ["PYTEST_DEBUG_TEMPROOT"], "evidence").write_text("here")
print("this is run", number)
sys.exit(number == 3)
"""


def test_it_stops_at_the_first_failure_and_keeps_what_explains_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counter, keep = tmp_path / "counter", tmp_path / "keep"
    command = [sys.executable, "-c", FAILS_THE_THIRD_TIME, str(counter)]

    code = main(["5", "--load", "1", "--keep", str(keep), "--", *command])

    assert code == 1
    assert counter.read_text() == "xxx"
    assert [path.name for path in keep.iterdir()] == ["run-3"]
    assert (keep / "run-3" / "output.log").read_text() == "this is run 3\n"
    assert (keep / "run-3" / "tmp" / "evidence").read_text() == "here"
    assert "== processes" in (keep / "run-3" / "machine.txt").read_text()
    assert "run 3 of 5: FAILED with 1" in capsys.readouterr().out


def test_runs_that_pass_leave_nothing(tmp_path: Path) -> None:
    assert main(["2", "--keep", str(tmp_path), "--", sys.executable, "-c", ""]) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_projects_of_tests_are_no_part_of_the_project_in_which_it_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    says = "import os, sys; print(os.environ['PYTEST_DEBUG_TEMPROOT']); sys.exit(1)"

    main(["1", "--keep", str(tmp_path / "keep"), "--", sys.executable, "-c", says])

    temporary = Path(capsys.readouterr().out.splitlines()[1])
    assert temporary.parent == Path(tempfile.gettempdir())
    assert not temporary.exists(), "it is kept with the rest"


@pytest.mark.parametrize("arguments", [["0"], ["1", "--load", "-1"], ["1", "--"], ["many"]])
def test_what_makes_no_sense_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
