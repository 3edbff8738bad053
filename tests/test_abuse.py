"""The abuse matrix: every row of `abuse/cases`, each in a process of its own. `make abuse` runs the peers beside us."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from abuse import run

CASES = run.cases()


@pytest.fixture(scope="module")
def outcomes(request, tmp_path_factory) -> Iterator[dict[run.Case, Future[run.Outcome]]]:
    """What comes of the cases that are to be run, two processes at a time."""
    files = run.prepare(tmp_path_factory.mktemp("abuse"))
    chosen = [item.callspec.params["case"] for item in request.session.items if "outcomes" in item.fixturenames]
    jobs = ThreadPoolExecutor(2)
    yield {case: jobs.submit(run.run, case, "bytepair", sys.executable, files) for case in chosen}
    jobs.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.area}: {case.name}")
def test_case(case, outcomes, request):
    if case.pending is not None:
        request.applymarker(pytest.mark.xfail(reason=case.pending, strict=True))
    outcome = outcomes[case].result()
    assert run.is_right(case, outcome), f"{outcome.word}: {outcome.detail}\n{case.code}"


def test_there_are_many_rows_and_none_twice():
    assert len(CASES) >= 120
    assert len({(case.area, case.name) for case in CASES}) == len(CASES)
