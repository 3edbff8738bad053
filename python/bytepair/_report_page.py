"""A training report as one page of HTML with its plots inside, or as JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

from bytepair import _files, _svg
from bytepair._report import SourceFigures, TrainingReport

# A plot has no more points than these: more are not seen.
_POINTS = 300

# Token lengths above this one are shown as one bar.
_LONGEST_BAR = 16

# What UTF-8 never holds.
_NEVER = {0xC0, 0xC1, *range(0xF5, 0x100)}

_STYLE = """
:root { color-scheme: light; }
body { margin: 0; background: #f6f7f9; color: #1d2430; font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 800px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; font-weight: 600; margin: 0 0 2px; }
h2 { font-size: 17px; font-weight: 600; margin: 0 0 2px; }
p { margin: 0 0 10px; color: #566072; }
section { background: #fff; border: 1px solid #e3e6eb; border-radius: 10px; padding: 18px 22px; margin-top: 16px; }
.figures { display: flex; flex-wrap: wrap; gap: 12px; margin-top: 16px; }
.figures div { box-sizing: border-box; flex: 1 1 128px; padding: 12px 14px; background: #fff;
  border: 1px solid #e3e6eb; border-radius: 10px; }
.figures b { display: block; font-size: 20px; font-weight: 600; }
.figures span { color: #566072; font-size: 13px; }
svg { display: block; width: 100%; height: auto; margin: 6px 0 10px; }
svg.grid { width: 314px; flex: none; }
.side { display: flex; flex-wrap: wrap; gap: 28px; align-items: flex-start; }
.side > div { flex: 1 1 200px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; font-weight: 600; color: #566072; border-bottom: 1px solid #d5dae1; padding: 4px 10px 4px 0; }
td { border-bottom: 1px solid #eef0f3; padding: 4px 10px 4px 0; vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
tr:last-child td { border-bottom: 0; }
code { font: 13px ui-monospace, "DejaVu Sans Mono", monospace; background: #f1f3f6; border-radius: 4px;
  padding: 1px 5px; overflow-wrap: anywhere; }
"""


def save(report: TrainingReport, path: str | os.PathLike[str], sources: Sequence[SourceFigures]) -> None:
    """Write the report to a file whose suffix is `.html` or `.json`."""
    path = Path(path)
    if path.suffix == ".html":
        text = page(report, sources)
    elif path.suffix == ".json":
        text = json.dumps(report.to_dict(sources=sources), ensure_ascii=False) + "\n"
    else:
        raise ValueError(f"a report is a page or JSON: end {os.fspath(path)!r} in .html or .json")
    _files.write({path: text})


def page(report: TrainingReport, sources: Sequence[SourceFigures] = ()) -> str:
    """Return the report as HTML."""
    n_merges = len(report.n_tokens) - 1
    totals = (report.n_bytes, report.n_tokens[-1], report.n_pretokens)
    n_bytes, n_tokens, n_pretokens = (report._ones(total) for total in totals)
    figures = [
        (f"{256 + n_merges:,}", "tokens: 256 bytes and merges"),
        (f"{report.bytes_per_token(n_merges):.3f}", "bytes per token"),
        (_megabytes(n_bytes), f"in {report.n_documents:,} document{'s' * (report.n_documents != 1)}"),
        (f"{n_tokens:,}", "tokens of text"),
    ]
    cards = "".join(f"<div><b>{value}</b><span>{escape(what)}</span></div>" for value, what in figures)
    sections = [
        _compression(report),
        _frequency(report),
        _lengths(report),
        _sources(sources),
        _bytes(report),
        _tokens(report),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n<title>Training report</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Training report</h1>\n"
        f"<p>Training stopped because {escape(report.stop_reason)}. "
        f"Of the {n_pretokens:,} pretokens of the corpus, {report.n_distinct_pretokens:,} are distinct.</p>\n"
        f'<div class="figures">{cards}</div>\n' + "\n".join(filter(None, sections)) + "\n</main>\n</body>\n</html>\n"
    )


def _section(title: str, said: str, body: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n<p>{escape(said)}</p>\n{body}\n</section>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], n_texts: int = 1) -> str:
    """Return a table; the first columns are texts, as HTML, and all others numbers."""
    look = ["" if index < n_texts else ' class="n"' for index in range(len(heads))]
    head = "".join(f"<th{kind}>{escape(name)}</th>" for kind, name in zip(look, heads, strict=True))
    lines = ("".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(look, row, strict=True)) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _compression(report: TrainingReport) -> str:
    n_merges = len(report.n_tokens) - 1
    if n_merges == 0:
        return ""
    points = [(256 + k, report.bytes_per_token(k)) for k in _spread(n_merges, 256)]
    sizes = [size for size in (2**power for power in range(8, 25)) if size < 256 + n_merges] + [256 + n_merges]
    values = [(size, report.bytes_per_token(size - 256)) for size in sizes]
    x = _svg.Axis("tokens in the vocabulary, special ones apart", 256, 256 + n_merges, is_log=True)
    y = _svg.Axis("bytes per token", 0, max(value for _, value in values) * 1.05)
    marks = [((size, value), f"{size:,} tokens: {value:.3f} bytes per token") for size, value in values]
    # What doubling the size adds is what decides.
    gains = [""] + [f"+{now / before - 1:.1%}" for (_, before), (_, now) in pairwise(values)]
    rows = [(f"{size:,}", f"{value:.3f}", gain) for (size, value), gain in zip(values, gains, strict=True)]
    table = _table(["tokens", "bytes per token", "more than the row above"], rows)
    said = "The corpus, after each merge: what a larger vocabulary would still gain."
    return _section("Compression by vocabulary size", said, _svg.line(points, x, y, marks=marks) + table)


def _frequency(report: TrainingReport) -> str:
    counts = sorted((count for _, count in report._counted() if count), reverse=True)
    if len(counts) < 2:
        return ""
    n_unused = sum(token is not None for token in report.tokens) - len(counts)
    points = [(rank + 1, report._ones(counts[rank])) for rank in _spread(len(counts) - 1, 1)]
    x = _svg.Axis("rank", 1, len(counts), is_log=True)
    most, fewest = (report._ones(counts[rank]) for rank in (0, -1))
    y = _svg.Axis("occurrences", max(min(1, fewest), fewest * 0.8), most * 1.3, is_log=True)
    half = total = sum(counts)
    for n_half, count in enumerate(counts, 1):  # noqa: B007
        half -= count
        if 2 * half <= total:
            break
    said = f"How often each token occurs, the most common first. {n_half:,} make up half of the text"
    said += f"; {n_unused:,} do not occur." if n_unused else "; every token occurs."
    return _section("Token frequency", said, _svg.line(points, x, y))


def _lengths(report: TrainingReport) -> str:
    in_vocabulary = [0] * (_LONGEST_BAR + 1)
    in_text = [0] * (_LONGEST_BAR + 1)
    for token, count in report._counted():
        length = min(len(token), _LONGEST_BAR + 1) - 1
        in_vocabulary[length] += 1
        in_text[length] += count
    names = [str(length) for length in range(1, _LONGEST_BAR + 1)] + [f">{_LONGEST_BAR}"]
    series = [
        (label, [n / (sum(values) or 1) for n in values])
        for label, values in (("of the vocabulary", in_vocabulary), ("of the tokens of the text", in_text))
    ]
    said = "How long tokens are: those of the vocabulary, each once, and those of the text, each as often as it occurs."
    return _section("Token lengths", said, _svg.bars(names, series, "bytes", "per cent"))


def _sources(sources: Sequence[SourceFigures]) -> str:
    if not sources:
        return ""
    heads = ["source", "size", "words", "tokens", "bytes per token", "tokens per word"]
    rows = [
        (
            escape(source.label),
            _megabytes(source.n_bytes),
            f"{source.n_words:,}",
            f"{source.n_tokens:,}",
            "–" if source.bytes_per_token is None else f"{source.bytes_per_token:.3f}",
            "–" if source.fertility is None else f"{source.fertility:.3f}",
        )
        for source in sources
    ]
    said = "How well each source is compressed. Words are what white space separates, which some scripts do not use."
    return _section("By source", said, _table(heads, rows))


def _bytes(report: TrainingReport) -> str:
    unseen = report.unseen_bytes

    def kind(byte: int) -> tuple[str, str]:
        name = f"0x{byte:02X}" + (f" {chr(byte)!r}" if 0x20 <= byte < 0x7F else "")
        if byte not in unseen:
            return _svg.BLUE, f"{name}: in the corpus"
        return (_svg.WHITE, f"{name}: never in UTF-8") if byte in _NEVER else (_svg.PALE, f"{name}: not in the corpus")

    n_possible = sum(byte not in _NEVER for byte in unseen)
    table = _table(
        ["bytes", ""],
        [
            ("in the corpus", f"{256 - len(unseen)}"),
            ("not in the corpus", f"{n_possible}"),
            ("not in the corpus, as never in UTF-8", f"{len(unseen) - n_possible}"),
        ],
    )
    said = "Every byte is a token. Those that the corpus lacks (light) have embeddings that are never trained."
    return _section("Bytes", said, f'<div class="side">{_svg.byte_grid(kind)}<div>{table}</div></div>')


def _tokens(report: TrainingReport) -> str:
    lists: list[tuple[str, str, Sequence[tuple[bytes, float]]]] = [
        ("most common", "occurrences", [(token, report._ones(count)) for token, count in report.most_common()]),
        ("rarest", "occurrences", [(token, report._ones(count)) for token, count in report.rarest()]),
        ("longest", "bytes", [(token, len(token)) for token in report.longest()]),
    ]
    tables = (
        _table([name, unit], [(f"<code>{escape(_shown(token))}</code>", f"{number:,}") for token, number in tokens])
        for name, unit, tokens in lists
    )
    said = "Rare ones, here of two bytes or more, are hardly trained; long ones are often boilerplate."
    return _section("Tokens", said, f'<div class="side">{"".join(f"<div>{table}</div>" for table in tables)}</div>')


def _shown(token: bytes) -> str:
    """Return a token with white space and what is no text made visible, cut where it is long."""
    try:
        text = token.decode()
    except UnicodeDecodeError:
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in token)
    shown = "".join(
        "␣" if char == " " else char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
    return shown if len(shown) <= 32 else f"{shown[:32]}…"


def _megabytes(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:,.2f} MB" if n_bytes >= 1e5 else f"{n_bytes:,} bytes"


def _spread(last: int, shift: int) -> list[int]:
    """Return whole numbers from 0 to `last`, spread evenly over the logarithm of themselves plus `shift`."""
    ratio = math.log((last + shift) / shift)
    return sorted({round(shift * math.exp(ratio * k / _POINTS)) - shift for k in range(_POINTS)} | {0, last})
