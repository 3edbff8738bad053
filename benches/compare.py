"""Speed beside the peers, with results shown to be the same before any time is printed.

Every engine does each of its runs in a fresh process; the runs of engines alternate, so that what else the machine does
meets all of them. Figures are medians, ratios the median of the ratios of runs that stood side by side.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MB = 10**6
END = "<|endoftext|>"
HOSTILE = "hostile: "  # begins the names of texts that are made, not read
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

Encode = Callable[[str], Any]
Tokens = Callable[[], list[bytes]]


# The engines. An encoder is made of a vocabulary; a trainer returns what gives the tokens it learned, in order, so that
# reading them is not part of the time. Peers get the vocabulary as files, so that their processes hold nothing of ours.


def bytepair_encoder(vocabulary: str, _files: Path, output: str) -> Encode:
    import bytepair

    tokenizer = bytepair.Tokenizer.from_pretrained(vocabulary)
    return tokenizer.encode if output == "list" else tokenizer.encode_to_numpy


def tiktoken_encoder(vocabulary: str, files: Path, output: str) -> Encode:
    import tiktoken
    import tiktoken.load
    from tiktoken_ext import openai_public

    rank_file = str(files / f"{vocabulary}.tiktoken")
    os.environ["TIKTOKEN_CACHE_DIR"] = ""
    openai_public.load_tiktoken_bpe = lambda *_, **__: tiktoken.load.load_tiktoken_bpe(rank_file)
    encoding = tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[vocabulary]())
    return encoding.encode_ordinary if output == "list" else encoding.encode_to_numpy


def tokenizers_encoder(vocabulary: str, files: Path, _output: str) -> Encode:
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(files / f"{vocabulary}.json"))
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def bytepair_trainer(documents: list[str], vocab_size: int, tie: str) -> Tokens:
    import bytepair

    trained = bytepair.Tokenizer.train(documents, vocab_size, special_tokens=(), tie=tie)
    return lambda: [left + right for left, right in trained.merges]


def rustbpe_trainer(documents: list[str], vocab_size: int, _tie: str) -> Tokens:
    import rustbpe

    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(iter(documents), vocab_size, pattern=GPT2_PATTERN)
    return lambda: [token for token, _ in tokenizer.get_mergeable_ranks()][256:]


def tokenizers_trainer(documents: list[str], vocab_size: int, _tie: str) -> Tokens:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(documents, trainer)

    def tokens() -> list[bytes]:
        own = [chr(byte) for byte in [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]]
        others = [byte for byte in range(256) if chr(byte) not in own]
        byte_of = {char: ord(char) for char in own} | {chr(256 + i): byte for i, byte in enumerate(others)}
        pairs = json.loads(tokenizer.to_str())["model"]["merges"]
        return [bytes(byte_of[char] for char in left + right) for left, right in pairs]

    return tokens


# The corpora


def documents_of(corpus: str, folder: str | None, n_bytes: int) -> list[str]:
    """Return the first bytes of a corpus as documents."""
    if corpus.startswith(HOSTILE):
        return [hostile(corpus.removeprefix(HOSTILE), n_bytes)]
    if folder is None:
        return standard_library(n_bytes)
    with (Path(folder) / f"{corpus}.txt").open("rb") as file:
        return [text for text in file.read(n_bytes).decode(errors="ignore").split(END) if text]


def hostile(family: str, n_bytes: int) -> str:
    if family == "random letters":
        return "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=n_bytes))
    if family == "spaces, x":
        return " " * (n_bytes - 1) + "x"
    unit = {"space": " ", "newline": "\n"}.get(family, family)
    return unit * (n_bytes // len(unit.encode()))


def standard_library(n_bytes: int) -> list[str]:
    """Return sources of this Python, for machines without corpora."""
    documents: list[str] = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if n_bytes > 0 and "site-packages" not in path.parts:
            documents.append(path.read_text(encoding="utf-8", errors="replace"))
            n_bytes -= len(documents[-1].encode())
    return documents


# One run, in a process of its own


def work(task: dict[str, Any]) -> dict[str, Any]:
    """Do one run and return its figures, with a digest of its result."""
    if task.get("threads"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-task["threads"] :])
        os.environ["RAYON_NUM_THREADS"] = str(task["threads"])
        os.environ["TOKENIZERS_PARALLELISM"] = "false" if task["threads"] == 1 else "true"
    documents = documents_of(task["corpus"], task["folder"], int(task["megabytes"] * MB))
    n_bytes = sum(len(document.encode()) for document in documents)
    digest = hashlib.sha256()
    if task["work"] == "encode":
        encode = globals()[f"{task['engine']}_encoder"](
            task["vocabulary"], Path(task["files"]), task.get("output", "list")
        )
        figures = {}
        ids: list[list[int]] = []
        for name in ["cold", "warm"]:
            ids.clear()  # not in the time that follows
            start = time.perf_counter()
            ids = [encode(document) for document in documents]
            figures[name] = time.perf_counter() - start
        for document_ids in ids:
            digest.update(array("I", [len(document_ids), *document_ids]).tobytes())
    else:
        before = memory("VmRSS")
        start = time.perf_counter()
        tokens = globals()[f"{task['engine']}_trainer"](documents, task["vocab_size"], task["tie"])
        figures = {"seconds": time.perf_counter() - start, "peak": memory("VmHWM"), "above": memory("VmHWM") - before}
        for token in tokens():
            digest.update(array("I", [len(token)]).tobytes() + token)
    return {"n_bytes": n_bytes, "digest": digest.hexdigest(), "figures": figures}


def memory(field: str) -> float:
    """Return a figure of this process in bytes: VmRSS is what it holds now, VmHWM the most it ever held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * float(next(line for line in lines if line.startswith(field)).split()[1])


# All runs


def run(task: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--work", json.dumps(task)]
    return dict(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def compare(regime: dict[str, Any], corpus: str, n_runs: int) -> dict[str, Any]:
    """Run all engines of a regime on one corpus, in turns; different results are an error."""
    engines = regime["engines"]
    rounds = [{engine: run(regime | {"engine": engine, "corpus": corpus}) for engine in engines} for _ in range(n_runs)]
    digests = {result["digest"] for results in rounds for result in results.values()}
    if len(digests) != 1:
        sys.exit(f"{regime['name']}, {corpus}: the results differ; there is nothing to compare\n{json.dumps(rounds)}")
    figures: dict[str, Any] = {}
    for engine in engines:
        runs = [results[engine]["figures"] for results in rounds]
        ours = [results[engines[0]]["figures"] for results in rounds]
        figures[engine] = {
            name: {
                "median": statistics.median(run[name] for run in runs),
                "ratio": statistics.median(run[name] / our[name] for run, our in zip(runs, ours, strict=True)),
                "runs": [run[name] for run in runs],
            }
            for name in runs[0]
        }
    n_bytes = rounds[0][engines[0]]["n_bytes"]
    return {"corpus": corpus, "n_bytes": n_bytes, "digest": digests.pop(), "engines": figures}


# Figure: its heading, and how it is shown.
FIGURES: dict[str, tuple[str, Callable[[float, int], str]]] = {
    "cold": ("cold MB/s", lambda seconds, n_bytes: f"{n_bytes / seconds / MB:.1f}"),
    "warm": ("warm MB/s", lambda seconds, n_bytes: f"{n_bytes / seconds / MB:.1f}"),
    "seconds": ("seconds", lambda seconds, _: f"{seconds:.2f}"),
    "peak": ("peak MB", lambda amount, _: f"{amount / MB:.0f}"),
    "above": ("above in.", lambda amount, _: f"{amount / MB:.0f}"),
}
HOSTILE_FIGURES: dict[str, tuple[str, Callable[[float, int], str]]] = {
    name: (f"{name} ms", lambda seconds, _: f"{1000 * seconds:.1f}") for name in ["cold", "warm"]
}


def show(regime: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Print the last row's engines: each figure, and how many times ours it is; before the first row, the heading."""
    row = rows[-1]
    names = list(next(iter(row["engines"].values())))
    forms = HOSTILE_FIGURES if is_hostile(regime) else FIGURES
    if len(rows) == 1:
        print(f"\n{regime['name']}: {regime['title']}")
        print(f"{'corpus':17}{'engine':11}" + "".join(f"{forms[name][0]:>9}{'':8}" for name in names).rstrip())
    for number, (engine, figures) in enumerate(row["engines"].items()):
        line = f"{row['corpus'].removeprefix(HOSTILE) if number == 0 else '':17}{engine:11}"
        for name in names:
            line += f"{forms[name][1](figures[name]['median'], row['n_bytes']):>9}"
            line += f"{figures[name]['ratio']:>7.3g}x" if number else " " * 8
        print(line.rstrip(), flush=True)


def show_worst(rows: list[dict[str, Any]]) -> None:
    for engine in rows[0]["engines"]:
        seconds, corpus = max((row["engines"][engine]["cold"]["median"], row["corpus"]) for row in rows)
        print(f"worst of {engine}: {corpus.removeprefix(HOSTILE)}, {1000 * seconds:.1f} ms")


def machine(engines: dict[str, str]) -> dict[str, Any]:
    cpus = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in cpus if line.startswith("model name")), platform.machine())
    versions = {}
    for engine, package in engines.items():
        try:
            versions[engine] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            print(f"{engine} is not installed: left out", file=sys.stderr)
    return {
        "cpu": model,
        "processors": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
    }


def is_hostile(regime: dict[str, Any]) -> bool:
    return regime["title"].startswith("hostile")


def prepare(regime: dict[str, Any], options: argparse.Namespace, versions: dict[str, str], files: str) -> None:
    """Complete a regime: with the engines that there are, the corpora asked for, and the vocabulary as files."""
    import bytepair

    regime["files"], regime["folder"] = files, options.corpora and str(options.corpora)
    regime["engines"] = [engine for engine in regime["engines"] if engine in versions]
    if not is_hostile(regime):
        if options.corpora is None:
            regime["corpora"] = ["standard library"]
        regime["megabytes"] = options.megabytes or regime["megabytes"]
    if options.only:
        regime["corpora"] = [corpus for corpus in regime["corpora"] if corpus.removeprefix(HOSTILE) in options.only]
    if "vocabulary" in regime:
        tokenizer = bytepair.Tokenizer.from_pretrained(regime["vocabulary"])
        for suffix in [".tiktoken", ".json"]:
            tokenizer.save(Path(files) / f"{regime['vocabulary']}{suffix}")


def main() -> None:
    beside = ROOT / ".." / "shared" / "corpora"
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--corpora", default=beside if beside.is_dir() else None, help="folder of texts, NAME.txt")
    parser.add_argument("--regimes", nargs="+", help="only these")
    parser.add_argument("--only", nargs="+", help="only these corpora")
    parser.add_argument("--megabytes", type=float, help="of each corpus, instead of what engines.toml says")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write all figures of all runs there")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(work(json.loads(options.work))))
        return

    settings = tomllib.loads((ROOT / "benches" / "engines.toml").read_text())
    report = machine(settings["engines"]) | {"runs": options.runs, "regimes": {}}
    versions = report["versions"] | {"Python": report["python"]}
    print(f"{report['cpu']}, {report['processors']} processors, load {report['load']:.1f}; {report['date']}")
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"Medians of {options.runs}; x: how many times ours that is, by time or memory")
    with tempfile.TemporaryDirectory() as files:
        for regime in settings["regimes"]:
            if options.regimes and regime["name"] not in options.regimes:
                continue
            prepare(regime, options, report["versions"], files)
            rows = report["regimes"][regime["name"]] = []
            for corpus in regime["corpora"]:
                rows.append(compare(regime, corpus, options.runs))
                show(regime, rows)
            if is_hostile(regime) and rows:
                show_worst(rows)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
