"""All that there is to say of one model, as a text of 80 columns and as values for a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bytepair.accounting.breakdown import WIDTH, Breakdown, decimal_and_binary
from bytepair.accounting.flops import decode_flops, forward_flops
from bytepair.accounting.memory import arithmetic_intensity, decode_bytes, kv_cache_bytes, prefill_bytes
from bytepair.accounting.notes import PRESET, Finding, check_notes
from bytepair.accounting.parameters import BYTES, parameters, weight_bytes
from bytepair.accounting.scaling import Scaling, scaling
from bytepair.accounting.training import activations, max_batch, training_memory, training_time
from bytepair.transformer.config import PREFILL_CHUNK, Config

__all__ = ["Report"]

# Where training is reckoned: CS336's questions, of 2025 and of 2026. FLOP/s by the makers' data sheets.
_STEPS, _BATCH, _UTILIZATION = 400_000, 1024, 0.5
_HARDWARE = {"A100, float32": 19.5e12, "H100, TF32": 495e12}
_MEMORY = {"80 GB": 80 * 10**9, "80 GiB": 80 * 2**30}

# Columns of the share in a table of components.
_SHARE = 8

# How much longer an input is compared with, where none is asked for.
_LONGER = 16


@dataclass(frozen=True)
class Report:
    """All that there is to say of one model.

    Attributes
    ----------
    name : str
    config : Config
    seq_len : int
        Tokens of an input.
    compared : mapping of str to Config
        Other models to set it beside.

    Examples
    --------
    >>> from bytepair.accounting.report import Report
    >>> from bytepair.transformer import Config
    >>> report = Report("tinystories", Config.preset("tinystories"), 256, {})
    >>> report.as_dict()["parameters"]["total"]
    22696448
    """

    name: str
    config: Config
    seq_len: int
    compared: Mapping[str, Config]

    @property
    def scaling(self) -> Scaling:
        """The model and those it is compared with, the smallest first, at its context and at a longer input."""
        # Of two names for one shape, the one that was asked to be compared is enough.
        own = {} if self.config in self.compared.values() else {self.name: self.config}
        models = dict(self.compared) | own
        by_size = sorted(models.items(), key=lambda named: parameters(named[1]).total)
        context = self.config.context_length
        longer = self.seq_len if self.seq_len > context else _LONGER * context
        return scaling(dict(by_size), (context, longer))

    @property
    def findings(self) -> list[Finding]:
        """What the notes say of this model, if it is theirs."""
        return check_notes() if self.config == Config.preset(PRESET) else []

    def as_dict(self) -> dict[str, Any]:
        """Return what `bytepair account --json` prints."""
        config, seq_len = self.config, self.seq_len
        last = seq_len - 1
        return {
            "name": self.name,
            "config": asdict(config),
            "seq_len": seq_len,
            "parameters": parameters(config).as_dict(),
            "weight_bytes": {dtype: weight_bytes(config, dtype).total for dtype in BYTES},
            "forward_flops": {key: found.as_dict() for key, (_, found) in self._forward().items()},
            "arithmetic_intensity": {
                "forward": arithmetic_intensity(config, seq_len).as_dict(),
                "decode": arithmetic_intensity(config, 1, past=last).as_dict(),
            },
            "decode": {
                "flops": decode_flops(config, last).as_dict(),
                "bytes": decode_bytes(config, last).as_dict(),
            },
            "prefill_bytes": prefill_bytes(config, seq_len).as_dict(),
            "kv_cache_bytes": {dtype: kv_cache_bytes(config, seq_len, dtype=dtype).total for dtype in BYTES},
            "activations": activations(config, 1, seq_len).as_dict(),
            "training_memory": training_memory(config, 1, seq_len).as_dict(),
            "max_batch": {memory: max_batch(config, size, seq_len) for memory, size in _MEMORY.items()},
            "training_time": {
                "steps": _STEPS,
                "batch": _BATCH,
                "utilization": _UTILIZATION,
                "flops": self._training(1.0)[0].as_dict(),
                "seconds": {name: self._training(rate)[1] for name, rate in _HARDWARE.items()},
            },
            "scaling": self.scaling.as_dict(),
            "notes": [finding.as_dict() for finding in self.findings],
        }

    def __str__(self) -> str:
        """Return a text of 80 columns."""
        return "\n\n".join(self._sections())

    def _sections(self) -> Iterator[str]:
        config, seq_len = self.config, self.seq_len
        yield self._heading()
        sizes = [f"  {dtype:17}{decimal_and_binary(weight_bytes(config, dtype).total)}" for dtype in BYTES]
        yield "\n".join([str(parameters(config)), *sizes])
        yield self._forward_text()
        yield str(arithmetic_intensity(config, seq_len))
        yield str(prefill_bytes(config, seq_len))
        yield self._decode_text()
        yield str(activations(config, 1, seq_len))
        yield self._training_text()
        yield str(self.scaling)
        if self.findings:
            yield "\n".join(["The notes beside this, and what they leave out", *map(str, self.findings)])

    def _heading(self) -> str:
        config = self.config
        kind = f"{config.norm} norm, {config.position} positions, {config.activation}, biases: {config.bias}"
        tied = "the head is the embedding" if config.tie_embeddings else "a head of its own"
        lines = [self.name[:WIDTH], f"  {kind}, {tied}"]
        if self.seq_len > config.context_length:
            lines.append(f"  {self.seq_len:,} tokens are more than its context of {config.context_length:,}")
        return "\n".join(lines)

    def _forward(self) -> dict[str, tuple[str, Breakdown]]:
        config, seq_len = self.config, self.seq_len
        return {
            "full": ("all pairs of queries and keys", forward_flops(config, seq_len)),
            "exact": ("pairs that the mask allows", forward_flops(config, seq_len, causal="exact")),
            "executed": (
                f"executed, in chunks of {PREFILL_CHUNK}",
                forward_flops(config, seq_len, causal="executed"),
            ),
            "last_only": ("all pairs, the last logits alone", forward_flops(config, seq_len, last_only=True)),
        }

    def _forward_text(self) -> str:
        ways = self._forward()
        whole = ways["full"][1]
        lines = [str(whole)]
        for what, found in list(ways.values())[1:]:
            less = 100 * (found.total / whole.total - 1)
            lines.append(f"  {what:38}{found.total:32,}{less:+6.1f} %")
        return "\n".join(lines)

    def _decode_text(self) -> str:
        config, last = self.config, self.seq_len - 1
        work, read = decode_flops(config, last), decode_bytes(config, last)
        lines = [str(read), f"  {'FLOPs':38}{work.total:34,}", f"  {'FLOPs/byte':38}{work.total / read.total:34.2f}"]
        for dtype in ("float32", "bfloat16"):
            one, all_of_it = (kv_cache_bytes(config, length, dtype=dtype).total for length in (1, last + 1))
            lines.append(f"  cache as {dtype:9}{one:,} bytes a token, {decimal_and_binary(all_of_it)} in all")
        return "\n".join(lines)

    def _training(self, flops_per_second: float) -> tuple[Breakdown, float]:
        found = training_time(self.config, _STEPS, _BATCH, flops_per_second, _UTILIZATION, self.seq_len)
        return found.flops, found.seconds

    def _training_text(self) -> str:
        lines = [str(training_memory(self.config, 1, self.seq_len))]
        fits = " · ".join(f"{max_batch(self.config, size, self.seq_len):,} in {name}" for name, size in _MEMORY.items())
        lines += [f"  largest batch: {fits}", ""]
        flops, _ = self._training(1.0)
        lines += [str(flops)]
        for name, rate in _HARDWARE.items():
            hours = self._training(rate)[1] / 3600
            peak = f"  {name}, {_UTILIZATION:.0%} of {rate / 1e12:g} TFLOP/s"
            takes = f"{hours:,.{0 if hours >= 100 else 1}f} hours = {hours / 24:,.1f} days"
            lines.append(f"{peak}  {takes:>{WIDTH - _SHARE - 2 - len(peak)}}")
        return "\n".join(lines)
