"""The speed of libraries side by side: each run in a fresh process, results shown to be the same before any time.

`worker.py` is one run, and knows the libraries; here runs are set going in turns, compared and summed up. Used by
``bytepair bench``, and by `benches/compare.py` of the source tree.
"""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["OURS", "Contestant", "DifferentResultsError", "compare"]

OURS = "bytepair"
WORKER = Path(__file__).with_name("worker.py")
SECONDS = 600


class DifferentResultsError(Exception):
    """Ours are not the results of the library that defines them, or not twice the same."""


class Contestant(NamedTuple):
    """A library, the call of it that is timed, and how many threads it may use: 0 for all."""

    engine: str
    call: str
    threads: int

    @classmethod
    def parse(cls, name: str, threads: int = 0) -> Contestant:
        """Return what a name such as "bytepair array batch, 2 threads" says."""
        name, _, own_threads = name.partition(", ")
        engine, _, call = name.partition(" ")
        return cls(engine, call, int(own_threads.split()[0]) if own_threads else threads)


def run(python: str, task: Mapping[str, Any], script: Path = WORKER) -> dict[str, Any]:
    """Do one run in a process of its own; return figures and digests, or the error that it ended with."""
    command = [python, str(script), json.dumps(task)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"no answer in {SECONDS} s"}
    if done.returncode != 0:
        return {"error": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def compare(
    contestants: Mapping[str, Contestant],
    run_one: Callable[[Contestant], dict[str, Any]],
    n_runs: int,
    reference: str = "tiktoken",
) -> dict[str, dict[str, Any]]:
    """Let contestants run in turns and return, by name, their figures or why there are none.

    Each figure is the median of its runs; its ratio the median of what it is to the first contestant's figure of the
    same round. A peer that fails once, or whose results are not the first contestant's, is not run again.

    Parameters
    ----------
    contestants : mapping of str to Contestant
        Ours first.
    run_one : callable
        Does one run.
    n_runs : int
    reference : str, default "tiktoken"
        The library whose results decide.

    Raises
    ------
    DifferentResultsError
        Ours changed from run to run, differ between our own calls, or are not those of the reference.
    """
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in contestants}
    errors: dict[str, str] = {}
    digests: dict[str, str] = {}
    for _ in range(n_runs):
        for name, contestant in contestants.items():
            if name in errors:
                continue
            result = run_one(contestant)
            if "error" not in result:
                known = result["digests"].items()
                if any(digests.get(key, digest) != digest for key, digest in known):
                    if contestant.engine in {OURS, reference}:
                        raise DifferentResultsError(f"the results of {name} are others: there is nothing to compare")
                    result = {"error": "other results"}
                elif contestant.engine in {OURS, reference}:
                    digests |= result["digests"]
            elif contestant.engine == OURS:
                raise DifferentResultsError(f"{name}: {result['error']}")
            if "error" in result:
                errors[name] = result["error"]
            results[name].append(result)
    return {
        name: {"error": errors[name]} if name in errors else {"figures": summary(runs, next(iter(results.values())))}
        for name, runs in results.items()
    }


def summary(runs: Sequence[dict[str, Any]], ours: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return each figure of some runs: its median, the median of its ratios to ours, and all of it."""
    found = {}
    for name in runs[0]["figures"]:
        values = [run["figures"][name] for run in runs]
        pairs = zip(values, (run["figures"].get(name) for run in ours), strict=True)
        ratios = [value / base for value, base in pairs if base]
        ratio = statistics.median(ratios) if ratios else None
        found[name] = {"median": statistics.median(values), "ratio": ratio, "runs": values}
    return found
