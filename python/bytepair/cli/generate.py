"""Continue a text with a model: a folder with config.json, safetensors and tokenizer.json, or a GGUF file."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bytepair import Tokenizer
from bytepair.cli import _common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    parser.add_argument("--model", required=True, type=Path, metavar="FOLDER|FILE", help="weights and tokenizer")
    parser.add_argument("--prompt", required=True, metavar="TEXT", help="the text to continue")
    parser.add_argument(
        "--max-new-tokens", type=_common.one_or_more, default=100, metavar="N", help="the most tokens (default: 100)"
    )
    parser.add_argument(
        "--temperature", type=_number(0, math.inf), default=1.0, metavar="X", help="0 takes the likeliest (default: 1)"
    )
    parser.add_argument("--top-k", type=_common.one_or_more, metavar="N", help="draw from the N likeliest tokens")
    parser.add_argument(
        "--top-p",
        type=_number(0, 1, above=True),
        metavar="P",
        help="draw from the fewest that have probability P together",
    )
    parser.add_argument(
        "--min-p", type=_number(0, 1), metavar="P", help="draw from those at least P times as likely as the likeliest"
    )
    parser.add_argument("--seed", type=_seed, metavar="N", help="draw the same text again (default: another each time)")
    _common.add_allow_special(parser)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    import numpy as np

    from bytepair.transformer import Transformer, generate

    path: Path = options.model
    model = Transformer.load(path)
    # Beside a safetensors file lies what belongs to it.
    tokenizer = Tokenizer.load(path.parent if path.suffix == ".safetensors" else path)
    prompt = tokenizer.encode(options.prompt, allowed_special=_common.allowed_special(options))
    if not prompt:
        raise _common.fail("the prompt has no tokens; give it a text to continue")
    started = time.perf_counter()
    new = generate(
        model,
        prompt,
        max_new_tokens=options.max_new_tokens,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        min_p=options.min_p,
        stop_ids=tokenizer.special_tokens.values(),
        rng=np.random.default_rng(options.seed),
    )
    stream, ids, text, times = tokenizer.decode_stream(), [], "", [started]
    try:
        for token_id in new:
            times.append(time.perf_counter())
            ids.append(token_id)
            text += _show(stream.push(token_id), options.json)
        text += _show(stream.flush(), options.json)
    finally:
        # After Ctrl-C too, the shell's prompt has a line of its own.
        _show("\n", options.json)
    rates = {
        "prefill": len(prompt) / (times[1] - started) if len(times) > 1 else None,
        "decode": (len(ids) - 1) / (times[-1] - times[1]) if len(times) > 2 else None,
    }
    if options.json:
        stopped = "length" if len(ids) == options.max_new_tokens else "special token"
        answer = {"prompt": options.prompt, "text": text, "ids": ids, "prompt_tokens": len(prompt), "stopped": stopped}
        _common.print_json(answer | {"tokens_per_second": rates})
    else:
        counts = {"prefill": f"{len(prompt)} tokens of prompt", "decode": f"{len(ids)} new"}
        shown = (f"{counts[name]}, {rate:,.1f}/s" if rate else counts[name] for name, rate in rates.items())
        print("; ".join(shown), file=sys.stderr)
    return 0


def _show(text: str, as_json: bool) -> str:
    if not as_json:
        print(text, end="", flush=True)
    return text


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"it must be a whole number, 0 or more, not {text!r}")
    return int(text)


def _number(low: float, high: float, *, above: bool = False) -> Callable[[str], float]:
    """Return what reads a number of this range, without its lowest where it must be above that."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (low <= value <= high and math.isfinite(value)) or (above and value == low):
            what = f"from {low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
            what = f"above {low:g}, and at most {high:g}" if above else what
            raise argparse.ArgumentTypeError(f"it must be {what}, not {text!r}")
        return value

    return read
