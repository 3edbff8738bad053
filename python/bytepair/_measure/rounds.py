"""Contestants in turns: their runs, that the results are the same, and the figures summed up."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bytepair.errors import FormatError

if TYPE_CHECKING:
    from bytepair import Tokenizer

__all__ = ["OURS", "Contestant", "DifferentResultsError", "compare", "run", "write_vocabulary"]

OURS = "bytepair"
# Whose results decide what is right.
REFERENCE = "tiktoken"
WORKER = Path(__file__).with_name("worker.py")
# What a worker says of a library that lacks a call.
NO_SUCH_CALL = "LookupError: it has no such call"
# After this a run is given up.
SECONDS = 600


class DifferentResultsError(Exception):
    """Our results are not those of the reference, or not the same every time; or we have none."""


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


def write_vocabulary(tokenizer: Tokenizer, name: str, folder: Path, builtin: bool) -> None:
    """Write a vocabulary for workers, in the formats that peers read; special tokens, which are not compared, left out.

    Without them ids have no gaps either, which some peers refuse. A vocabulary that is no rank file is written as
    `tokenizer.json` only.
    """
    with contextlib.suppress(FormatError):
        tokenizer.save(folder / f"{name}.tiktoken")
    path = folder / f"{name}.json"
    tokenizer.save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"added_tokens": []}))
    if builtin:
        (folder / f"{name}.builtin").touch()


def run(python: str, task: Mapping[str, Any], script: Path = WORKER) -> dict[str, Any]:
    """Do one run in a process of its own; return figures and digests, or the error that it ended with."""
    command = [python, str(script), json.dumps(task)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"no answer in {SECONDS} s"}
    if done.returncode != 0:
        return {"error": f"ended with {done.returncode} {done.stderr.strip()}".replace("\n", " ")}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def compare(
    contestants: Mapping[str, Contestant], run_one: Callable[[Contestant], dict[str, Any]], n_runs: int
) -> dict[str, dict[str, Any]]:
    """Let contestants run in turns and return, by name, their figures or why there are none.

    Each figure is the median of its runs; its ratio the median of what it is to the first contestant's figure of the
    same round. A peer that fails once, or has other results than we have, is not run again.

    Parameters
    ----------
    contestants : mapping of str to Contestant
        Ours first.
    run_one : callable
        Does one run, as `run` does.
    n_runs : int

    Raises
    ------
    DifferentResultsError
        Our results changed from run to run or from call to call, are not those of the reference, or there are none.
    """
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in contestants}
    errors: dict[str, str] = {}
    digests: dict[str, str] = {}
    for _ in range(n_runs):
        for name, contestant in contestants.items():
            if name in errors:
                continue
            result = run_one(contestant)
            failed = result.get("error")
            error = failed or _difference(result["digests"], digests)
            if error and (contestant.engine == OURS or (contestant.engine == REFERENCE and not failed)):
                raise DifferentResultsError(f"{name}: {error}")
            if error:
                errors[name] = error
            elif contestant.engine == OURS:
                digests |= result["digests"]
            results[name].append(result)
    ours = results[next(iter(contestants))]
    return {
        name: {"error": errors[name]} if name in errors else {"figures": _summary(runs, ours)}
        for name, runs in results.items()
    }


def _difference(digests: Mapping[str, str], known: Mapping[str, str]) -> str | None:
    same = all(known.get(key, digest) == digest for key, digest in digests.items())
    return None if same else "other results than bytepair's"


def _summary(runs: Sequence[dict[str, Any]], ours: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {}
    for name in runs[0]["figures"]:
        values = [run["figures"][name] for run in runs]
        bases = [run["figures"].get(name) for run in ours]
        ratios = [value / base for value, base in zip(values, bases, strict=True) if base]
        ratio = statistics.median(ratios) if ratios else None
        found[name] = {"median": statistics.median(values), "ratio": ratio, "runs": values}
    return found
