"""Speed beside the peers, with results shown to be the same before any time is printed.

Every engine does each of its runs in a fresh process; the runs of engines alternate, so that what else the machine does
meets all of them. Figures are medians, ratios the median of the ratios of runs that stood side by side.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pickle
import platform
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import show
import texts

from bytepair import Tokenizer, _measure

ROOT = Path(__file__).parents[1]
SHARED = ROOT / ".." / "shared"
PEERS = ROOT / ".venv-peers" / "bin" / "python"
TRAINING = ROOT / "benches" / "training.py"

Regime = dict[str, Any]


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
    """Write a vocabulary without special tokens in the two formats that peers read; say whether there is one."""
    if (folder / f"{name}.json").exists():
        return True
    file = SHARED / "vocabs" / f"{name}.tiktoken"
    try:
        tokenizer = Tokenizer.from_pretrained(name)
    except ValueError:
        if not file.exists():
            return False
        tokenizer = Tokenizer.from_tiktoken(file, pattern=name)
        (folder / f"{name}.foreign").touch()
    tokenizer.save(folder / f"{name}.tiktoken")
    tokenizer.save(folder / f"{name}.json")
    # Some peers want ids without gaps, and special tokens are not in these texts.
    fields = json.loads((folder / f"{name}.json").read_text())
    (folder / f"{name}.json").write_text(json.dumps(fields | {"added_tokens": []}))
    return True


def contestants_of(regime: Regime, engines: dict[str, str]) -> dict[str, _measure.Contestant]:
    parsed = {name: _measure.Contestant.parse(name, regime.get("threads", 0)) for name in regime["contestants"]}
    return {name: contestant for name, contestant in parsed.items() if contestant.engine in engines}


def measure(regime: Regime, corpus: str, options: argparse.Namespace, engines: dict[str, str], folder: Path) -> Any:
    """Run all contestants of a regime on one corpus; return the row of figures."""
    megabytes = regime["megabytes"] if corpus.startswith(texts.HOSTILE) else options.megabytes or regime["megabytes"]
    given = texts.texts_of(corpus, options.corpora, megabytes, regime.get("cut", "documents"))
    (folder / "texts").write_bytes(pickle.dumps(given))

    def run(contestant: _measure.Contestant) -> dict[str, Any]:
        task = regime | contestant._asdict() | {"folder": str(folder), "texts": str(folder / "texts")}
        python = sys.executable if contestant.engine == _measure.OURS else str(options.peers)
        return _measure.run(python, task, TRAINING if regime["work"] == "train" else _measure.WORKER)

    found = _measure.compare(contestants_of(regime, engines), run, options.runs)
    return {"corpus": corpus, "n_bytes": sum(len(text.encode()) for text in given), "contestants": found}


def main() -> None:
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
    parser.add_argument("--json", type=Path, help="write all figures of all runs there")
    options = parser.parse_args()

    settings = tomllib.loads((ROOT / "benches" / "engines.toml").read_text())
    packages = settings["engines"]
    ours = versions(sys.executable, {_measure.OURS: packages.pop(_measure.OURS)})
    engines = ours | versions(options.peers, packages)
    for engine in packages.keys() - engines.keys():
        print(f"{engine} is not installed: left out", file=sys.stderr)
    report = machine() | {"versions": engines, "runs": options.runs, "regimes": {}}
    show.heading(report)
    with tempfile.TemporaryDirectory() as folder:
        for regime in settings["regimes"]:
            if options.regimes and regime["name"] not in options.regimes:
                continue
            if "vocabulary" in regime and not write_vocabulary(regime["vocabulary"], Path(folder)):
                print(f"there is no vocabulary {regime['vocabulary']}: {regime['name']} left out", file=sys.stderr)
                continue
            corpora = regime["corpora"]
            if options.corpora is None and not corpora[0].startswith(texts.HOSTILE):
                corpora = ["standard library"]
            rows = report["regimes"][regime["name"]] = []
            for corpus in corpora:
                if not options.only or corpus.removeprefix(texts.HOSTILE) in options.only:
                    rows.append(measure(regime, corpus, options, engines, Path(folder)))
                    show.row(regime, rows)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
