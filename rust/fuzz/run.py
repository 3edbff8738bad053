"""Fuzz every target for some seconds under AddressSanitizer, and print what was run and found: `make fuzz`.

Plain cargo on the stable toolchain: cargo-fuzz is not needed, but finds its layout here. New inputs go to
`target/fuzz-corpus`, what breaks a promise to `target/fuzz-artifacts`; `--merge` brings what the kept inputs lack, as
few and as small as can be, into `corpus`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

HERE = Path(__file__).parent
TARGET = HERE.parent.parent / "target"
COVERAGE = ["level=4", "inline-8bit-counters", "pc-table", "trace-compares"]
MAX_LENGTH = 4096


def names() -> list[str]:
    """The targets."""
    return [binary["name"] for binary in tomllib.loads((HERE / "Cargo.toml").read_text())["bin"]]


def build() -> Path:
    """Build all targets and return the folder that holds them."""
    host = re.search(r"host: (.*)", subprocess.check_output(["rustc", "-vV"], text=True))[1]
    flags = ["--cfg", "fuzzing", "-Zsanitizer=address", "-Cpasses=sancov-module", "-Ccodegen-units=1"]
    flags += [f"-Cllvm-args=-sanitizer-coverage-{option}" for option in COVERAGE]
    # The sanitizer is not stable; this asks the stable compiler for it.
    environment = os.environ | {"RUSTC_BOOTSTRAP": "1", "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags)}
    command = ["cargo", "build", "--release", "--bins", "--target", host, "--target-dir", TARGET / "fuzz"]
    subprocess.run(command, cwd=HERE, env=environment, check=True)
    return TARGET / "fuzz" / host / "release"


def run(binary: Path, options: list[str], folders: list[Path]) -> tuple[int, str]:
    """Run a fuzzer and return its exit code and what it said."""
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    # The allocator of the sanitizer would otherwise end the process where memory is refused, which we test.
    environment = os.environ | {"ASAN_OPTIONS": "allocator_may_return_null=1:detect_odr_violation=0"}
    command = [binary, *options, *folders]
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return done.returncode, done.stderr.decode(errors="replace")


def fuzz(binary: Path, name: str, seconds: int) -> str:
    """Fuzz one target; a row of the table."""
    artifacts = TARGET / "fuzz-artifacts" / name
    artifacts.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_LENGTH}",
        f"-artifact_prefix={artifacts}/",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ]
    code, said = run(binary, options, [TARGET / "fuzz-corpus" / name, HERE / "corpus" / name])
    executions = int(match[1]) if (match := re.search(r"number_of_executed_units: (\d+)", said)) else 0
    edges = [int(edges) for edges in re.findall(r"cov: (\d+)", said)]
    if code != 0:
        print(said[-3000:], file=sys.stderr)
    findings = "none" if code == 0 else f"see {artifacts}"
    return f"| {name} | {executions:,} | {max(edges, default=0):,} | {findings} | {len(list(artifacts.iterdir()))} |"


def merge(binary: Path, name: str) -> None:
    """Keep what reaches more code than the inputs that are kept."""
    kept = HERE / "corpus" / name
    run(binary, ["-merge=1", f"-max_len={MAX_LENGTH // 8}"], [kept, TARGET / "fuzz-corpus" / name])
    size = sum(path.stat().st_size for path in kept.iterdir())
    print(f"{name}: {len(list(kept.iterdir()))} inputs, {size:,} bytes")


def main() -> None:
    """Fuzz, or merge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    parser.add_argument("--only", action="append", choices=names())
    parser.add_argument("--merge", action="store_true", help="keep inputs that reach more code")
    arguments = parser.parse_args()
    folder, chosen = build(), arguments.only or names()
    if arguments.merge:
        for name in chosen:
            merge(folder / name, name)
        return
    with ThreadPoolExecutor(arguments.jobs) as jobs:
        fuzzers = [jobs.submit(fuzz, folder / name, name, arguments.seconds) for name in chosen]
        for done in as_completed(fuzzers):
            print(done.result(), flush=True)
    rows = [fuzzer.result() for fuzzer in fuzzers]
    print(f"\n{arguments.seconds} s each, {arguments.jobs} at a time, AddressSanitizer, debug assertions\n")
    print("| target | executions | edges | found now | inputs that failed, ever |\n|---|---|---|---|---|")
    print("\n".join(rows))
    sys.exit(any("| none |" not in row for row in rows))


if __name__ == "__main__":
    main()
