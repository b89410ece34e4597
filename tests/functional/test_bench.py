"""The bench measures what it says. Whether the bars are met is not tested on a busy machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def bench(out: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", "--out", str(out), *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_row_is_measured_beside_its_bare_minimum_and_written_as_table_and_json(tmp_path: Path) -> None:
    done = bench(tmp_path, "--rows", "lease", "--repeat", "1")

    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "bench.json").read_text())
    rows = {row["key"]: row for row in written["rows"]}
    assert rows.keys() == {"lease", "call-p50", "call-p99"}
    assert all(row["ours"]["median"] > 0 and row["bare"]["median"] > 0 for row in rows.values())
    assert written["machine"]["cpus"] >= 1
    assert (tmp_path / "bench.md").read_text() == done.stdout.rstrip("\n") + "\n"


def test_what_is_not_installed_is_not_measured(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    done = bench(tmp_path, "--rows", "redis-pifpaf", "--repeat", "1", PATH=str(tmp_path / "empty"))

    assert done.returncode == 1
    assert re.search("redis-pifpaf: not measured: (pifpaf|redis-server) is not installed", done.stderr)
    assert not (tmp_path / "bench.md").exists()


@pytest.mark.parametrize("rows", ["nonsense", "lease,nonsense"])
def test_an_unknown_row_is_refused_with_those_there_are(tmp_path: Path, rows: str) -> None:
    done = bench(tmp_path, "--rows", rows)

    assert done.returncode == 2
    assert "up-100" in done.stderr


def test_operations_that_are_new_and_the_live_prompt_are_measured(tmp_path: Path) -> None:
    done = bench(tmp_path, "--rows", "operation-new,live-prompt", "--repeat", "1")

    assert done.returncode == 0, done.stderr
    rows = {row["key"]: row for row in json.loads((tmp_path / "bench.json").read_text())["rows"]}
    assert rows.keys() == {"operation-new", "operations-look", "live-prompt"}
    assert all(row["ours"]["median"] > 0 and row["bare"]["median"] > 0 for row in rows.values())


def test_the_server_over_rest_is_measured(tmp_path: Path) -> None:
    done = bench(tmp_path, "--rows", "rest-request,rest-cold,operation-dispatch", "--repeat", "1")

    assert done.returncode == 0, done.stderr
    rows = {row["key"]: row for row in json.loads((tmp_path / "bench.json").read_text())["rows"]}
    assert rows.keys() == {"rest-request", "rest-memory", "rest-cold", "operation-dispatch"}
    assert all(row["ours"]["median"] > 0 for row in rows.values())
