"""Speed beside the peers, with results shown to be the same before any time is printed.

Every engine does each of its runs in a fresh process; the runs of engines alternate, so that what else the machine does
meets all of them. Figures are medians, ratios the median of the ratios of runs that stood side by side.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import pickle
import platform
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import targets

import texts
from bytepair import Tokenizer
from bytepair._measure import rounds, table

ROOT = Path(__file__).parents[1]
SHARED = ROOT / ".." / "shared"
PEERS = ROOT / ".venv-peers" / "bin" / "python"
TRAINING, TRAINING_WORKS = ROOT / "benches" / "training.py", {"train", "phases"}

Regime = dict[str, Any]
Row = dict[str, Any]


def versions(python: str, packages: dict[str, str]) -> dict[str, str]:
    """Return the version of each engine that this Python has."""
    code = """if True:
    import importlib.metadata as metadata, json, sys
    def version(package):
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return None
    print(json.dumps({engine: version(package) for engine, package in json.loads(sys.argv[1]).items()}))"""
    done = subprocess.run([python, "-c", code, json.dumps(packages)], check=True, stdout=subprocess.PIPE)
    return {engine: version for engine, version in json.loads(done.stdout).items() if version is not None}


def machine() -> dict[str, Any]:
    cpus = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in cpus if line.startswith("model name")), platform.machine())
    return {
        "cpu": model,
        "processors": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
    }


def write_vocabulary(name: str, folder: Path) -> bool:
    """Write a vocabulary for the workers, a built-in one or one that is beside; say whether there is one."""
    file = SHARED / "vocabs" / f"{name}.tiktoken"
    try:
        tokenizer, builtin = Tokenizer.from_pretrained(name), True
    except ValueError:
        if not file.exists():
            return False
        tokenizer, builtin = Tokenizer.from_tiktoken(file, pattern=name), False
    rounds.write_vocabulary(tokenizer, name, folder, builtin)
    return True


def measure(regime: Regime, corpus: str, options: argparse.Namespace, engines: dict[str, str], folder: Path) -> Row:
    """Run all contestants of a regime on one corpus; return the row of figures."""
    given = texts.texts_of(corpus, options.corpora, regime["megabytes"], regime.get("cut", "documents"))
    (folder / "texts").write_bytes(pickle.dumps(given))

    def run(contestant: rounds.Contestant) -> dict[str, Any]:
        task = regime | contestant._asdict() | {"folder": str(folder), "texts": str(folder / "texts")}
        python = sys.executable if contestant.engine == rounds.OURS else str(options.peers)
        return rounds.run(python, task, TRAINING if regime["work"] in TRAINING_WORKS else rounds.WORKER)

    parsed = {name: rounds.Contestant.parse(name, regime["threads"]) for name in regime["contestants"]}
    there = {name: contestant for name, contestant in parsed.items() if contestant.engine in engines}
    found = rounds.compare(there, run, options.runs)
    return {"corpus": corpus, "n_bytes": sum(len(text.encode()) for text in given), "contestants": found}


def regimes_of(settings: dict[str, Any], options: argparse.Namespace, folder: Path) -> Iterator[Regime]:
    """Yield the regimes asked for, completed; one whose vocabulary is not there is left out, saying so."""
    for regime in settings["regimes"]:
        if options.regimes and regime["name"] not in options.regimes:
            continue
        if "vocabulary" in regime and not write_vocabulary(regime["vocabulary"], folder):
            print(f"there is no vocabulary {regime['vocabulary']}: {regime['name']} left out", file=sys.stderr)
            continue
        made = regime["corpora"][0].startswith(texts.HOSTILE)
        corpora = regime["corpora"] if made or options.corpora else [texts.STANDARD_LIBRARY]
        corpora = [each for corpus in corpora for each in texts.named(corpus)]
        if options.only:
            corpora = [corpus for corpus in corpora if corpus.removeprefix(texts.HOSTILE) in options.only]
        megabytes = regime["megabytes"] if made else options.megabytes or regime["megabytes"]
        # Sizes that are not reached would be the same again.
        corpora = [
            corpus for corpus in corpora if texts.size_of(corpus) <= megabytes or texts.size_of(corpus) == math.inf
        ]
        figures = regime.get("figures", settings["works"][regime["work"]])
        yield regime | {"corpora": corpora, "megabytes": megabytes, "figures": figures}


def slowest_first(rows: list[Row], figure: str) -> list[Row]:
    name = table.FORMS[figure][0]
    return sorted(rows, key=lambda row: -next(iter(row["contestants"].values()))["figures"][name]["median"])


def show(regime: Regime, row: Row, is_first: bool) -> None:
    """Print a row, before the first the heading."""
    label = row["corpus"].removeprefix(texts.HOSTILE)
    width = 1 + max(len(corpus.removeprefix(texts.HOSTILE)) for corpus in [*regime["corpora"], "corpus"])
    names = f"<{max(map(len, row['contestants']))}"
    if is_first:
        print(f"\n{regime['name']}: {regime['title']}")
        print(table.title(f"{'corpus':{width}}{'':{names}}", regime["figures"]))
    lefts = [f"{'' if i else label:{width}}{contestant:{names}}" for i, contestant in enumerate(row["contestants"])]
    for line in table.lines(lefts, row["contestants"], regime["figures"], row["n_bytes"]):
        print(line, flush=True)


def options_of() -> argparse.Namespace:
    beside = SHARED / "corpora"
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--corpora", type=Path, default=beside if beside.is_dir() else None, help="folder of texts, NAME.txt"
    )
    parser.add_argument(
        "--peers", default=PEERS if PEERS.exists() else sys.executable, help="the Python that has the peers"
    )
    parser.add_argument("--regimes", nargs="+", help="only these")
    parser.add_argument("--only", nargs="+", help="only these corpora")
    parser.add_argument("--megabytes", type=float, help="of each corpus, instead of what engines.toml says")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write a record of all figures of all runs there")
    parser.add_argument(
        "--table", type=Path, nargs="+", metavar="RECORD", help="measure nothing, print the targets' table of records"
    )
    return parser.parse_args()


def main() -> None:
    options = options_of()
    settings = tomllib.loads((ROOT / "benches" / "engines.toml").read_text())
    if options.table:
        records = [json.loads(path.read_text())["regimes"] for path in options.table]
        regimes = {name: rows for record in records for name, rows in record.items()}
        print("\n".join(targets.lines(settings["targets"], regimes)))
        return
    packages = settings["engines"]
    peers = {engine: package for engine, package in packages.items() if engine != rounds.OURS}
    engines = versions(sys.executable, {rounds.OURS: packages[rounds.OURS]}) | versions(options.peers, peers)
    for engine in packages.keys() - engines.keys():
        print(f"{engine} is not installed: left out", file=sys.stderr)
    report = machine() | {"versions": engines, "runs": options.runs, "regimes": {}}
    print(f"{report['cpu']}, {report['processors']} processors, load {report['load']:.1f}; {report['date']}")
    print(", ".join(f"{name} {version}" for name, version in (engines | {"Python": report["python"]}).items()))
    print(f"Medians of {options.runs}; x: how many times ours that is, by time or memory")
    with tempfile.TemporaryDirectory() as folder:
        for regime in regimes_of(settings, options, Path(folder)):
            rows = report["regimes"][regime["name"]] = []
            for corpus in regime["corpora"]:
                try:
                    rows.append(measure(regime, corpus, options, engines, Path(folder)))
                except rounds.DifferentResultsError as error:
                    sys.exit(f"{regime['name']}, {corpus}: {error}")
                if not regime.get("slowest_first"):
                    show(regime, rows[-1], len(rows) == 1)
                if options.json:
                    options.json.write_text(json.dumps(report, indent=1) + "\n")
            if regime.get("slowest_first"):
                for row in (found := slowest_first(rows, regime["figures"][0])):
                    show(regime, row, row is found[0])


if __name__ == "__main__":
    main()
