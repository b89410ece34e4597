"""The guard around a driver from outside: where its code fails, the error says in which method, in
which file and line, and what to correct.

All that clusterlib calls of such a driver goes through its guard: what its kind declares, its
driver, its links and their probes, and what clients can do with its nodes."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from clusterlib.drivers import results
from clusterlib.errors import ClusterError, DriverUnusable
from clusterlib.frozen import frozen, replace
from clusterlib.importing import frames_of_authors, importable, is_of_author
from clusterlib.values.wording import in_toml

if TYPE_CHECKING:
    from clusterlib.drivers.api import Driver, Link
    from clusterlib.drivers.calls import NodeCalls
    from clusterlib.drivers.kind import NodeKind

__all__ = ["Guard", "Report", "place_of", "raise_it"]

Report = Callable[[DriverUnusable], None]
MOST_EVIDENCE = 3


def raise_it(error: DriverUnusable) -> None:
    raise error


@frozen
class Guard:
    """Calls the code of one driver."""

    driver: str
    """Its name, as the profile has it."""
    file: Path
    """The module that declares it."""
    roots: tuple[str, ...] = ()
    """The folders from which its code may import, also while it runs."""
    report: Report = raise_it
    """Is given the errors of methods that must not stop the keeper, such as `close`."""

    @contextmanager
    def watching(self, what: str, code: object = None) -> Iterator[None]:
        """Raises DriverUnusable for whatever fails meanwhile. `code` is what is called."""
        try:
            with importable(self.roots):
                yield
        except ClusterError:
            raise
        except (Exception, SystemExit) as error:  # the code of an author may raise anything
            raise self.failure(what, error, code) from error

    def failure(self, what: str, error: BaseException, code: object = None) -> DriverUnusable:
        place = place_of(error, self.file) or _definition(code) or str(self.file)
        return DriverUnusable(
            f"the driver {in_toml(self.driver)} fails in {what}",
            cause=f"{place}: {type(error).__name__}: {error}",
            evidence=_way(error, self.file),
            remedies=[f"correct {place}"],
        )

    # -- what it guards

    def kind(self, kind: NodeKind) -> NodeKind:
        """The same kind, with all its functions guarded."""
        declared = {name: getattr(kind, name) for name in results.FUNCTIONS}
        guarded: dict[str, Any] = {
            name: self._function(name, code) for name, code in declared.items() if code is not None
        }
        return replace(kind, **guarded)

    def keeper_side(self, driver: Driver) -> Driver:
        from clusterlib.drivers.api import Driver

        return cast("Driver", _Guarded(self, driver, Driver))

    def calls(self, calls: type[NodeCalls]) -> type[NodeCalls]:
        """The class of what clients can do.

        The exceptions of `call` and `run` are for the caller."""
        from clusterlib.drivers.calls import NodeCalls

        methods = {
            name: self._method(name, method)
            for name in results.CALLS
            if (method := getattr(calls, name)) is not getattr(NodeCalls, name)
        }
        return type(calls.__name__, (calls,), {"__module__": calls.__module__, **methods})

    def _function(self, name: str, code: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any) -> Any:
            with self.watching(f"`{name}` of its NodeKind", code):
                found = results.checked(name, code(*args))
            return self.calls(found) if name == "calls" else found

        return guarded

    def _method(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def guarded(*args: Any, **named: Any) -> Any:
            if name in results.FOR_THE_CALLER:
                with importable(self.roots):
                    return method(*args, **named)
            with self.watching(f"NodeCalls.{name}", method):
                return method(*args, **named)

        return guarded


class _Guarded:
    """A driver or a link, each attribute of which is looked up and called under guard."""

    def __init__(self, guard: Guard, inner: Driver | Link, declared: type) -> None:
        self._guard = guard
        self._inner = inner
        self._declared = vars(declared)
        self._reported: set[tuple[str, str]] = set()

    def __getattr__(self, name: str) -> Any:
        if not inspect.isfunction(self._declared.get(name)):
            return self._read(name)
        return self._asynchronous(name) if name in results.ASYNC else self._call(name)

    def _read(self, name: str) -> Any:
        try:
            with self._watching(name):
                return results.checked(name, getattr(self._inner, name))
        except ClusterError as error:
            return self._instead(name, error)

    def _call(self, name: str) -> Callable[..., Any]:
        def guarded(*args: Any) -> Any:
            try:
                with self._watching(name):
                    found = results.checked(name, getattr(self._inner, name)(*args))
            except ClusterError as error:
                return self._instead(name, error)
            return self._inside(name, found)

        return guarded

    def _asynchronous(self, name: str) -> Callable[..., Any]:
        async def guarded(*args: Any) -> Any:
            try:
                with self._watching(name):
                    waited = results.awaitable(getattr(self._inner, name)(*args))
                    return results.checked(name, await waited)
            except ClusterError as error:
                return self._instead(name, error)

        return guarded

    def _watching(self, name: str) -> AbstractContextManager[None]:
        return self._guard.watching(*self._called(name))

    def _called(self, name: str) -> tuple[str, object]:
        """The method in words, and its code."""
        kind = type(self._inner)
        return f"{kind.__name__}.{name}", getattr(kind, name, None)

    def _inside(self, name: str, found: Any) -> Any:
        """The code of the author in what a method has returned is guarded, too."""
        if name == "order":
            from clusterlib.drivers.api import Link

            order, link = found
            return order, _Guarded(self._guard, link, Link)
        if name == "ladder":
            return [replace(rung, probe=self._probe(rung)) for rung in found]
        return found

    def _probe(self, rung: Any) -> Callable[[], Any]:
        async def guarded() -> Any:
            with self._guard.watching(f"the probe of rung {rung.name!r}", rung.probe):
                return results.checked("probe", await results.awaitable(rung.probe()))

        return guarded

    def _instead(self, name: str, error: ClusterError) -> Any:
        """For a method that must not stop the keeper: its default, whatever it raises. An error is
        reported once for each place in the code."""
        if name not in results.AT_ANY_COST:
            raise error
        origin = error.__cause__ if isinstance(error, DriverUnusable) and error.__cause__ else error
        place = name, place_of(origin, self._guard.file)
        if place not in self._reported:
            self._reported.add(place)
            if not isinstance(error, DriverUnusable):
                what, code = self._called(name)
                error = self._guard.failure(what, error, code)
            self._guard.report(error)
        return copy(results.AT_ANY_COST[name])


# -- where it failed


def place_of(error: BaseException, file: Path) -> str:
    """File and line of the cause: the last one in the driver's own files, else the last one that
    belongs neither to clusterlib nor to Python."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_file():
        return f"{error.filename}:{error.lineno}"
    frames = _frames(error, file)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _frames(error: BaseException, file: Path) -> list[traceback.FrameSummary]:
    frames = frames_of_authors(error)
    return [frame for frame in frames if _is_own(Path(frame.filename), file)] or frames


def _is_own(path: Path, file: Path) -> bool:
    """A module in a package owns the files of its folder; another one owns itself."""
    in_package = (file.parent / "__init__.py").is_file()
    return path == file or (in_package and file.parent in path.parents)


def _way(error: BaseException, file: Path) -> list[str]:
    """The last lines of the author's code on the way to the failure, if there are several."""
    lines = [f"{one.filename}:{one.lineno}: {one.line}" for one in _frames(error, file)]
    return lines[-MOST_EVIDENCE:] if len(lines) > 1 else []


def _definition(code: object) -> str:
    """Where the author has defined what was called: for a call that fails before its first line."""
    try:
        function = inspect.unwrap(code.fget if isinstance(code, property) else code)  # type: ignore[arg-type]
        place = inspect.getsourcefile(function)
        line = inspect.getsourcelines(function)[1]
    except (TypeError, OSError):
        return ""
    return "" if place is None or not is_of_author(place) else f"{place}:{line}"
