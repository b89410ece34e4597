"""What must be known about a Mix project before its nodes start.

Read from its files: asking Mix takes half a second."""

from __future__ import annotations

import glob
import re
import tempfile
from pathlib import Path

from clusterlib.errors import ClusterError, UsageError
from clusterlib.hosts.launch import run_aside
from clusterlib.remedies import do

__all__ = ["elixir_libraries", "mix_applications"]

APPLICATION = re.compile(r"^[^#\n]*\bapp:\s*:([a-z_][A-Za-z0-9_@]*)", re.MULTILINE)
UMBRELLA = re.compile(r'^[^#\n]*\bapps_path:\s*"([^"]+)"', re.MULTILINE)
ANSWER_SECONDS = 30.0


def mix_applications(project: Path) -> tuple[str, ...]:
    """The applications of the project itself: the one of its mix.exs, or those of an umbrella."""
    text = _read(project / "mix.exs")
    if text is None:
        raise UsageError(
            f"{project} is no Mix project: it has no mix.exs",
            cause="the profile has [beam] mix = true",
            remedies=["mix new .", do("cluster.up", profile="beam") + "  # plain Erlang nodes"],
        )
    umbrella = UMBRELLA.search(text)
    texts = [text]
    if umbrella:
        texts = [_read(path) or "" for path in sorted((project / umbrella[1]).glob("*/mix.exs"))]
    names = tuple(found[1] for text in texts if (found := APPLICATION.search(text)))
    if not names:
        raise UsageError(
            f"no application is named in {project / 'mix.exs'}",
            cause="looked for `app: :name`",
            remedies=['applications = ["name"]  # under [beam] in the profile'],
        )
    return names


def elixir_libraries(elixir: Path) -> str:
    """The folders of Elixir's own modules, as a pattern.

    `elixir` is the program, which may be a wrapper script."""
    home = elixir.resolve().parents[1] / "lib"
    if not (home / "elixir" / "ebin").is_dir():
        home = _asked(elixir)
    return f"{glob.escape(str(home))}/*/ebin"


def _asked(elixir: Path) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer"
        words = [str(elixir), "-e", "IO.write(:code.lib_dir(:elixir))"]
        code = run_aside(words, environment=None, directory=None, output=answer, timeout=ANSWER_SECONDS)
        output = answer.read_text(encoding="utf-8", errors="replace")
    home = Path(output.strip().rpartition("\n")[2])
    if code != 0 or not home.is_dir():
        raise ClusterError(
            f"{elixir} does not say where Elixir's own modules are",
            cause=f"{' '.join(words)} ended with {code}",
            evidence=output.splitlines()[-10:],
            remedies=["elixir --version"],
        )
    return home.parent


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
