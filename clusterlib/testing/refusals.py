"""What happens to a test that gets no cluster: it is skipped, or it fails.

A call in the test's own code, such as `cluster_factory()`, raises the typed error, which the test
may catch. Only if the test ends with this error is it skipped, or fails, with the text that tests
without a cluster have."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import pytest

from clusterlib.errors import ApplicationFailed, BuildFailed, ClusterError
from clusterlib.evidence.records import RecordWriter, RefusalCaught
from clusterlib.leases.lease import Unserved
from clusterlib.leases.usage import Usage
from clusterlib.messages.event import now
from clusterlib.messages.recorded import RecordedError
from clusterlib.testing.unserved import reason_of

__all__ = ["Refusals"]


class Refusals:
    """A plugin of its own: tests of unittest have their error only when this hook is called, not
    yet when its wrappers begin."""

    def __init__(self, usage: Callable[[], Usage], record: RecordWriter) -> None:
        self._usage = usage
        self._record = record
        self._began = now()
        self._raised: list[Unserved] = []
        """All whose errors were raised in the code of tests.

        pytest raises the error of a fixture again for each test that uses it."""
        self._open: list[Unserved] = []
        """Those of the running test with which it has not ended."""

    def begin_test(self) -> None:
        self._began = now()

    def error(self, unserved: Unserved) -> ClusterError:
        """The error to raise in the code of the test."""
        self._raised = [one for one in self._raised if one.error is not unserved.error] + [unserved]
        self._open.append(unserved)
        return unserved.error.with_traceback(None)

    @pytest.hookimpl
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> pytest.TestReport | None:
        raised = call.excinfo
        unserved = self._of(raised.value) if raised is not None else None
        if unserved is None:
            if call.when == "teardown":
                self._forget_what_was_caught(item.nodeid)
            return None
        self._open = [one for one in self._open if one.error is not unserved.error]
        call.excinfo = pytest.CallInfo.from_call(lambda: self.end_test(unserved), call.when).excinfo
        unserved.first = False
        report = pytest.TestReport.from_item_and_call(item, call)
        if report.failed:
            call.excinfo = raised  # for `xfail(raises=...)`, --pdb and the evidence
        return report

    def _of(self, raised: BaseException) -> Unserved | None:
        return next((one for one in self._raised if one.error is raised), None)

    def _forget_what_was_caught(self, test: str) -> None:
        for unserved in self._open:
            self._record(RefusalCaught(test, self._began, RecordedError.of(unserved.error)))
            self._usage().forget_caught(unserved.error)
        self._open.clear()

    def end_test(self, unserved: Unserved) -> NoReturn:
        """One line if the whole error is shown once at the end, otherwise the whole error.

        If the application failed, the first test shows the traceback, too: it is the cause."""
        error = unserved.error
        at_the_end = any(failure.error == RecordedError.of(error) for failure in self._usage().failures)
        is_first_victim = unserved.first and isinstance(error, ApplicationFailed | BuildFailed)
        brief = at_the_end and not is_first_victim
        text = reason_of(unserved, brief=brief)
        if unserved.may_skip:
            raise pytest.skip.Exception(text, _use_item_location=True) from None
        raise pytest.fail.Exception(text, pytrace=False) from None
