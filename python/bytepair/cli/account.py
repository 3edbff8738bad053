"""Count what a transformer costs: parameters, FLOPs, memory and time, with the formula of each figure."""

from __future__ import annotations

import argparse
from pathlib import Path

from bytepair import _files
from bytepair.accounting import Model, Roofline, picture, roofline, weight_bytes
from bytepair.accounting.report import Report
from bytepair.cli import _common
from bytepair.transformer.config import Config

# The most bytes of weights that a model is made with to be measured, and the most tokens of its prompt.
_LARGEST = 2 * 2**30
_PROMPT = 512


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    known = f"a config.json of Hugging Face, or one of {', '.join(Config.presets())}"
    parser.add_argument("config", metavar="NAME|PATH", help=known)
    parser.add_argument("--seq-len", type=_count, metavar="N", help="tokens of an input (default: the context)")
    parser.add_argument(
        "--compare", nargs="+", default=[], metavar="NAME|PATH", help="models to set beside it, the smallest first"
    )
    parser.add_argument(
        "--roofline", action="store_true", help="measure this machine for a second, and the model with random weights"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw where FLOPs go, by model and by length")


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    config = _config(options.config)
    compared = {name: _config(name) for name in options.compare}
    report = Report(options.config, config, options.seq_len or config.context_length, compared)
    if options.plot is not None:
        content = picture(report.scaling, options.plot.suffix.removeprefix("."))
        _files.write({options.plot: content})
    found = _roofline(config, report.seq_len) if options.roofline else None
    if options.json:
        _common.print_json(report.as_dict() | ({} if found is None else {"roofline": found.as_dict()}))
    else:
        print(report if found is None else f"{report}\n\n{found}")
    return 0


def _roofline(config: Config, seq_len: int) -> Roofline:
    """Measure this machine, and a model of this shape if its weights are not too large."""
    model: Model | None = None
    if weight_bytes(config).total <= _LARGEST:
        from bytepair.transformer import Transformer

        model = Transformer.init(config, seed=0)
    return roofline(config, model, seq_len=max(1, min(seq_len, _PROMPT, config.context_length - 1)))


def _config(name: str) -> Config:
    """Return the shape in a file, or the preset of this name."""
    if name.endswith(".json") or "/" in name:
        from bytepair.transformer.formats import read_config

        return read_config(Path(name))
    return Config.preset(name)


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"it must be from 1 to 2**31 - 1, not {text!r}")
    return int(text)
