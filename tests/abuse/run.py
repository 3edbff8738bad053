"""The abuse matrix: every case in a process of its own, for us and, by `make abuse`, for the peers.

`cases/*.toml` says what is done and what must come of it, `engines.toml` what the names in it mean for each library.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MEMORY_MIB = 2048
SECONDS = 20

# What may come of a case; only the first three leave the program alive and right.
OK, EXCEPTION, VALUE, WRONG, PANIC, HANG, ABSENT = "ok", "exception", "value", "**wrong**", "**PANIC**", "**HANG**", "–"
SIGNALS = {signal.SIGSEGV: "**SEGV**", signal.SIGABRT: "**ABRT**", signal.SIGBUS: "**BUS**", signal.SIGKILL: "**KILL**"}


@dataclass(frozen=True, eq=False)
class Case:
    """One row: code that must be true, or raise what it says."""

    area: str
    name: str
    code: str
    raises: str | None
    message: str
    lenient: bool
    pending: str | None
    false: str
    other_code: dict[str, str]

    def code_for(self, engine: str) -> str:
        """What an engine is asked; nothing, where it has no such call."""
        return self.other_code.get(engine, self.code)


@dataclass(frozen=True)
class Outcome:
    """What came of a case: a word for the table, and what a reader of a failed test needs."""

    word: str
    detail: str = ""


def engines() -> dict[str, dict[str, str]]:
    """What to run before a case, by engine."""
    return tomllib.loads((HERE / "engines.toml").read_text())


def cases() -> list[Case]:
    """All rows, by area."""
    names = set(engines())
    found = []
    for path in sorted((HERE / "cases").glob("*.toml")):
        for name, (given,) in tomllib.loads(path.read_text()).items():
            known = {"code", "raises", "message", "lenient", "pending", "false"} | names
            assert set(given) <= known, f"{path.name}, {name}: {set(given) - known}"
            found.append(
                Case(
                    path.stem,
                    name,
                    given["code"],
                    given.get("raises"),
                    given.get("message", ""),
                    given.get("lenient", False),
                    given.get("pending"),
                    f"**{given.get('false', 'wrong')}**",
                    {engine: given[engine] for engine in names & set(given)},
                )
            )
    return found


def prepare(folder: Path) -> Path:
    """Write the files that the cases read: GPT-2's vocabulary in two formats, a small one, and a text."""
    import bytepair

    gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
    gpt2.save(folder / "tokenizer.json")
    gpt2.save(folder / "ranks.tiktoken")
    vocab = {byte: bytes([byte]) for byte in range(256)} | {256: b"ab", 257: b"abc"}
    small = bytepair.Tokenizer(vocab, [(b"a", b"b"), (b"ab", b"c")], pattern="gpt2")
    small.save(folder / "small.json")
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(Path(os.__file__).parent.glob("[a-d]*.py")))
    (folder / "corpus.txt").write_text(text[:500_000], encoding="utf-8")
    return folder


def run(case: Case, engine: str, python: str, files: Path) -> Outcome:
    """Run a case for an engine in a new process."""
    code = case.code_for(engine).strip()
    if not code:
        return Outcome(ABSENT)
    with tempfile.TemporaryDirectory(prefix="abuse-") as folder:
        given = {
            "engine": engine,
            "code": code,
            "setup": engines()[engine]["setup"],
            "helpers": (HERE / "helpers.py").read_text(),
            "files": str(files),
            "folder": folder,
            "memory": MEMORY_MIB,
        }
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "RAYON_NUM_THREADS": "2"}
        command = [python, "-X", "utf8", str(HERE / "child.py")]
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        try:
            out, err = child.communicate(json.dumps(given), timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            return Outcome(HANG, f"no answer in {SECONDS} s")
        finally:
            os.chmod(folder, 0o755)  # noqa: PTH101
    if child.returncode != 0:
        word = SIGNALS.get(-child.returncode, f"exit {child.returncode}")
        return Outcome(word, err[-1000:])
    return judge(case, engine, json.loads(out.splitlines()[-1]))


def judge(case: Case, engine: str, answer: dict[str, object]) -> Outcome:
    """Say whether an answer is what the case asks for: to the letter of us, of others no more than fairness asks."""
    detail = json.dumps(answer, ensure_ascii=False)
    if "missing" in answer:
        return Outcome(ABSENT, detail)
    if "raised" not in answer:
        # Where we raise, a peer may have another right answer.
        right = answer["value"] is True and (case.raises is None or engine != "bytepair")
        lenient = case.lenient and engine != "bytepair"
        return Outcome(OK if right else VALUE if lenient else case.false, detail)
    if not answer["ordinary"]:
        return Outcome(PANIC, detail)
    if engine != "bytepair":
        return Outcome(EXCEPTION, detail)
    as_said = case.raises == answer["raised"] and case.message in str(answer["message"])
    ours = answer["module"] in {"builtins", "bytepair.errors"}
    return Outcome(EXCEPTION if as_said and ours else WRONG, detail)


def is_right(case: Case, outcome: Outcome) -> bool:
    """Whether this is what we promise."""
    return outcome.word == (OK if case.raises is None else EXCEPTION)


def table(results: dict[str, dict[str, list[tuple[Case, Outcome]]]], versions: dict[str, str]) -> str:
    """The comparison in Markdown: how often each outcome, then every row."""
    names = list(versions)
    lines = ["| | " + " | ".join(f"{name} {version}" for name, version in versions.items()) + " |"]
    lines.append("|---|" + "---|" * len(names))
    counts = {
        name: collections.Counter(outcome.word for rows in results[name].values() for _, outcome in rows)
        for name in names
    }
    words = [OK, EXCEPTION, VALUE, WRONG, PANIC, *SIGNALS.values(), HANG, ABSENT]
    words += sorted({word for count in counts.values() for word in count} - set(words))
    for word in words:
        if any(counts[name][word] for name in names):
            lines.append(f"| {word} | " + " | ".join(str(counts[name][word]) for name in names) + " |")
    for area in results[names[0]]:
        lines += ["", f"## {area}", "", "| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
        for rows in zip(*(results[name][area] for name in names), strict=True):
            words = " | ".join(outcome.word for _, outcome in rows)
            lines.append(f"| {rows[0][0].name.replace('|', '&#124;')} | {words} |")
    return "\n".join(lines)


def version(python: str, package: str) -> str:
    """The version of a package in an environment."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


PREAMBLE = """# The abuse matrix

Written by `make abuse`, {n} cases, each in a process of its own with {memory} MiB of memory and {seconds} seconds.
`tests/abuse/cases/` says what each does and what must come of it; `make test` holds us to it. Where a peer differs on
purpose, it is still what its user gets.

- **ok**: the right value. **exception**: an ordinary exception, of us the one that the case names.
- **value**: a value where we raise, which is a matter of taste. –: the library has no such call.
- **wrong**: a wrong value, or a value where only an exception is right. **over**: more time or memory than the case
  names. **PANIC**: an exception that `except Exception` does not catch. **SEGV**, **ABRT**: the process died.
  **HANG**: no answer in time.
The peers have GPT-2's vocabulary too, but for rustbpe, which has one of its own of 2,000 tokens.

"""


def main() -> None:
    """Run the table and print what failed; with peers, write the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter that has the peers: compare with them")
    parser.add_argument("--out", type=Path, help="where to write the comparison")
    parser.add_argument("--only", default="", help="cases whose name or area contains this")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    pythons = {"bytepair": sys.executable}
    if arguments.peers is not None:
        pythons |= dict.fromkeys([name for name in engines() if name != "bytepair"], arguments.peers)
    chosen = [case for case in cases() if arguments.only in case.name or arguments.only == case.area]
    with tempfile.TemporaryDirectory(prefix="abuse-files-") as folder, ThreadPoolExecutor(arguments.jobs) as jobs:
        files = prepare(Path(folder))
        submitted = {
            (engine, case): jobs.submit(run, case, engine, python, files)
            for engine, python in pythons.items()
            for case in chosen
        }
        results: dict[str, dict[str, list[tuple[Case, Outcome]]]] = {engine: {} for engine in pythons}
        failures = 0
        for (engine, case), future in submitted.items():
            outcome = future.result()
            results[engine].setdefault(case.area, []).append((case, outcome))
            if engine == "bytepair" and not is_right(case, outcome):
                failures += 1
                print(f"{case.area}: {case.name}: {outcome.word}: {outcome.detail}", file=sys.stderr)
            elif engine != "bytepair" and outcome.word not in (OK, EXCEPTION, ABSENT):
                print(f"{engine}: {case.area}: {case.name}: {outcome.word}: {outcome.detail[-300:]!r}", file=sys.stderr)
    shown = table(results, {engine: version(python, engine) for engine, python in pythons.items()})
    print(shown)
    if arguments.out is not None:
        preamble = PREAMBLE.format(n=len(chosen), memory=MEMORY_MIB, seconds=SECONDS)
        arguments.out.parent.mkdir(exist_ok=True)
        arguments.out.write_text(preamble + shown + "\n", encoding="utf-8")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
