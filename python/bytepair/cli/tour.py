"""Train on your Python's own sources, prove that nothing is lost, and let a transformer read the ids."""

from __future__ import annotations

import argparse
import sys
import sysconfig
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bytepair import Tokenizer, TrainingReport
from bytepair.cli import _common, _tour_model
from bytepair.cli.inspect import longest_tokens

if TYPE_CHECKING:
    from rich.console import Console

_SAMPLE = 'def greet(name):\n    print(f"Hello, {name}! 你好, привет 👋")  # 12345 times\n'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("-v", "--vocab-size", type=int, default=16_384, help="tokens in all (default: 16384)")


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    training, held_out = corpus_files()
    started = time.perf_counter()
    with _common.progress_bar() as progress:
        tokenizer = Tokenizer.train(training, options.vocab_size, progress=progress)
    seconds = time.perf_counter() - started
    report = tokenizer.training_report
    assert report is not None
    held = _encode(tokenizer, held_out)
    held["gpt2_bytes_per_token"] = _encode(Tokenizer.from_pretrained("gpt2"), held_out)["bytes_per_token"]
    largest = max(held_out, key=lambda path: path.stat().st_size)
    model = _tour_model.read_ids(tokenizer, largest)
    figures = {
        "training": {
            "files": len(training),
            "bytes": report.n_bytes,
            "pretokens": report.n_pretokens,
            "distinct_pretokens": report.n_distinct_pretokens,
            "seconds": round(seconds, 3),
        },
        "vocabulary": {
            "size": tokenizer.vocab_size,
            "stop_reason": report.stop_reason,
            "longest_tokens": [_common.show_bytes(token) for token in longest_tokens(tokenizer, 3)],
            "longest_words": [_common.show_bytes(token) for token in _longest_words(tokenizer, 6)],
            "fingerprint": tokenizer.fingerprint,
        },
        "bytes_per_token": {size: round(ratio, 3) for size, ratio in _curve(report, tokenizer.vocab_size)},
        "held_out": held,
        "saved_and_loaded_equal": _saves_and_loads(tokenizer),
        "model": model,
    }
    if options.json:
        _common.print_json(figures)
    else:
        console = _common.console()
        _show(console, tokenizer, figures)
        _tour_model.show(console, model)
    proved = figures["saved_and_loaded_equal"] and _tour_model.is_proved(model)
    return 0 if held["files_lost"] == [] and proved else 1


def corpus_files() -> tuple[list[Path], list[Path]]:
    """Return the standard library's sources, nine tenths to train on and one tenth held out, the same every time."""
    folder = Path(sysconfig.get_path("stdlib"))
    training: list[Path] = []
    held_out: list[Path] = []
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if "site-packages" in name or "dist-packages" in name:
            continue
        (held_out if zlib.crc32(name.encode()) % 10 == 0 else training).append(path)
    return training, held_out


def _encode(tokenizer: Tokenizer, paths: list[Path]) -> dict[str, Any]:
    texts = [path.read_bytes() for path in paths]
    n_bytes = sum(map(len, texts))
    started = time.perf_counter()
    ids = tokenizer.encode_batch(texts)
    seconds = time.perf_counter() - started
    n_tokens = sum(map(len, ids))
    lost = [
        str(path) for path, text, ids_ in zip(paths, texts, ids, strict=True) if tokenizer.decode_bytes(ids_) != text
    ]
    return {
        "files": len(paths),
        "bytes": n_bytes,
        "tokens": n_tokens,
        "bytes_per_token": round(n_bytes / n_tokens, 3),
        "megabytes_per_second": round(n_bytes / seconds / 1e6, 1),
        "files_lost": lost,
    }


def _longest_words(tokenizer: Tokenizer, n: int) -> list[bytes]:
    """Return the longest tokens that are a space and a word."""
    words = [token for token in tokenizer.vocab.values() if token[:1] == b" " and token[1:].isalpha()]
    return sorted(words, key=lambda word: (-len(word), word))[:n]


def _curve(report: TrainingReport, vocab_size: int) -> list[tuple[int, float]]:
    """Return the compression at vocabulary sizes that double, all from the one training run."""
    n_merges = len(report.n_tokens) - 1
    n_others = vocab_size - n_merges
    sizes = [1 << power for power in range(8, 24) if 1 << power < vocab_size]
    return [(size, report.bytes_per_token(max(0, size - n_others))) for size in [*sizes, vocab_size]]


def _saves_and_loads(tokenizer: Tokenizer) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        tokenizer.save(path)
        return Tokenizer.load(path) == tokenizer


def _show(console: Console, tokenizer: Tokenizer, figures: dict[str, Any]) -> None:
    training, vocabulary, held = figures["training"], figures["vocabulary"], figures["held_out"]
    rate = training["bytes"] / training["seconds"] / 1e6
    console.print("[bold]1. A corpus: the sources of your Python's standard library[/]")
    console.print(f"   {training['files']:,} files, {training['bytes'] / 1e6:.1f} MB to train on; ", end="")
    console.print(f"{held['files']:,} files, {held['bytes'] / 1e6:.1f} MB held out")
    console.print(f"   {training['pretokens']:,} pretokens, {training['distinct_pretokens']:,} of them distinct")
    console.print("\n[bold]2. A vocabulary, learned from it[/]")
    console.print(f"   {vocabulary['size']:,} tokens in {training['seconds']:.2f} s ({rate:.0f} MB/s)")
    console.print("   the longest tokens, and the longest that are words:")
    for token in vocabulary["longest_tokens"]:
        console.print(f"     {token[:70]}", markup=False)
    for words in (vocabulary["longest_words"][:3], vocabulary["longest_words"][3:]):
        console.print("    " + "".join(f"{word:24}" for word in words).rstrip(), markup=False)
    console.print("\n[bold]3. Bytes per token, by size of the vocabulary[/]")
    best = max(figures["bytes_per_token"].values())
    for size, ratio in figures["bytes_per_token"].items():
        console.print(f"   {size:7,}  {ratio:5.2f}  {'█' * round(40 * ratio / best)}")
    console.print("\n[bold]4. The files held out, encoded and decoded[/]")
    console.print(f"   {held['tokens']:,} tokens, {held['bytes_per_token']:.2f} bytes per token ", end="")
    console.print(f"(GPT-2's vocabulary: {held['gpt2_bytes_per_token']:.2f}), {held['megabytes_per_second']} MB/s")
    lost = held["files_lost"]
    verdict = f"[red]{len(lost)} files differ[/]: {lost[:3]}" if lost else "every byte of every file came back"
    console.print(f"   round trip: {verdict}")
    equal = "an equal tokenizer" if figures["saved_and_loaded_equal"] else "[red]another tokenizer[/]"
    console.print(f"   saved as tokenizer.json and loaded: {equal}")
    console.print("\n[bold]5. One text in tokens[/]")
    _show_tokens(console, tokenizer, _SAMPLE)


def _show_tokens(console: Console, tokenizer: Tokenizer, text: str) -> None:
    """Print a text with its tokens told apart: by colour at a terminal, by bars elsewhere."""
    from rich.padding import Padding
    from rich.text import Text

    colours = ["black on bright_cyan", "black on bright_yellow", "black on bright_green", "black on bright_magenta"]
    ids = tokenizer.encode(text)
    line = Text()
    for index, token_id in enumerate(ids):
        token = tokenizer.id_to_bytes(token_id)
        shown = _common.show_bytes(token).replace("\\n", "⏎") if token.strip() else token.decode().replace("\n", "⏎")
        line.append(shown, style=colours[index % len(colours)])
        if not sys.stdout.isatty():
            line.append("|")
    console.print(Padding(line, (0, 0, 0, 3)))
    console.print(f"   {len(text.encode())} bytes, {len(text)} characters, {len(ids)} tokens: {ids[:8]} …")
