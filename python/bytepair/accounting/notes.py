"""The notes this accounting began with: their figures beside ours, and the terms that they leave out.

The notes count a model of GPT-2 XL's shape (V 50,257, T 1,024, L 48, D 1,600, H 25, F 6,400). Their arithmetic is
right; their formulas lack terms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bytepair.accounting.breakdown import WIDTH
from bytepair.accounting.flops import forward_flops
from bytepair.accounting.parameters import parameters, weight_bytes
from bytepair.transformer.config import Config

__all__ = ["PRESET", "Finding", "check_notes"]

PRESET = "gpt2-xl-notes"


@dataclass(frozen=True)
class Finding:
    """A figure of the notes beside ours.

    Attributes
    ----------
    what, unit : str
        What is counted, and in what.
    noted : int
        As it stands in the notes.
    ours : int
        As the functions of this package give it.
    missing : dict of str to int
        The terms that the notes leave out; with them, ``noted`` is ``ours``.
    """

    what: str
    unit: str
    noted: int
    ours: int
    missing: dict[str, int]

    @property
    def explained(self) -> bool:
        """Whether the missing terms are all of the difference."""
        return self.noted + sum(self.missing.values()) == self.ours

    def as_dict(self) -> dict[str, Any]:
        """Return what `bytepair account --json` prints of it."""
        return {"what": self.what, "unit": self.unit, "noted": self.noted, "ours": self.ours, "missing": self.missing}

    def __str__(self) -> str:
        """Return lines of 80 columns: the figure of the notes, each missing term, ours."""
        if not self.missing:
            return f"{self.what:{WIDTH - 34}}{self.noted:26,}  right"
        lines = [f"{self.what:{WIDTH - 34}}{self.noted:26,}  noted"]
        lines += [f"  {'+ ' + term:{WIDTH - 36}}{value:26,}" for term, value in self.missing.items()]
        lines.append(f"{'':{WIDTH - 34}}{self.ours:26,}  ours")
        return "\n".join(lines)


def check_notes() -> list[Finding]:
    """Return the figures of the notes beside ours, with the terms left out.

    Returns
    -------
    list of Finding
        In the order of the notes. `Finding.explained` holds for each.

    Examples
    --------
    >>> from bytepair.accounting import check_notes
    >>> for finding in check_notes():
    ...     print(finding)
    Embedding, V·D                                                80,411,200  right
    One layer                                                     38,403,200  noted
      + W_O, D·H·A                                                 2,560,000
                                                                  40,963,200  ours
    All layers                                                 1,843,353,600  noted
      + W_O, L·D·H·A                                             122,880,000
                                                               1,966,233,600  ours
    Output layer, D·V                                             80,411,200  right
    Parameters                                                 2,004,177,600  noted
      + W_O, L·D·H·A                                             122,880,000
                                                               2,127,057,600  ours
    Bytes in float32                                           8,016,710,400  noted
      + W_O, 4·L·D·H·A                                           491,520,000
                                                               8,508,230,400  ours
    FLOPs of scores, one layer                                 1,677,721,600  noted
      + each multiply-add is 2 FLOPs                           1,677,721,600
                                                               3,355,443,200  ours
    FLOPs of W_O, one layer                                    2,621,440,000  noted
      + each multiply-add is 2 FLOPs                           2,621,440,000
                                                               5,242,880,000  ours
    FLOPs of the FFN, one layer                               31,457,280,000  noted
      + each multiply-add is 2 FLOPs                          31,457,280,000
                                                              62,914,560,000  ours
    FLOPs of one layer                                        38,377,881,600  noted
      + each multiply-add is 2 FLOPs                          38,377,881,600
      + two of Q, K and V                                     10,485,760,000
      + weights times V                                        3,355,443,200
                                                              90,596,966,400  ours
    FLOPs of all layers                                    1,842,138,316,800  noted
      + each multiply-add is 2 FLOPs                       1,842,138,316,800
      + two of Q, K and V                                    503,316,480,000
      + weights times V                                      161,061,273,600
                                                           4,348,654,387,200  ours
    FLOPs of the output layer                                 82,341,068,800  noted
      + each multiply-add is 2 FLOPs                          82,341,068,800
                                                             164,682,137,600  ours
    FLOPs of a forward pass                                1,924,479,385,600  noted
      + each multiply-add is 2 FLOPs                       1,924,479,385,600
      + two of Q, K and V                                    503,316,480,000
      + weights times V                                      161,061,273,600
                                                           4,513,336,524,800  ours
    """
    config = Config.preset(PRESET)
    d, layers, tokens = config.d_model, config.num_layers, config.context_length
    held, work = parameters(config), forward_flops(config, tokens)
    layer = sum(held.components[name] for name in ("qkv", "output", "ffn")) // layers + 2 * d
    flops = {name: count // layers for name, count in work.components.items()} | {"head": work.components["head"]}
    layer_flops = sum(flops.values()) - flops["head"]
    w_o = d * d
    # Of one layer.
    two_projections, weighting = 2 * 2 * tokens * d * d, 2 * config.num_heads * tokens**2 * config.head_dim

    def counted(what: str, noted: int, ours: int, n_layers: int = 0) -> Finding:
        missing = {"each multiply-add is 2 FLOPs": noted}
        if n_layers:
            missing |= {"two of Q, K and V": n_layers * two_projections, "weights times V": n_layers * weighting}
        return Finding(what, "FLOPs", noted, ours, missing)

    return [
        Finding("Embedding, V·D", "parameters", 80_411_200, held.components["embedding"], {}),
        Finding("One layer", "parameters", 38_403_200, layer, {"W_O, D·H·A": w_o}),
        Finding("All layers", "parameters", 1_843_353_600, layers * layer, {"W_O, L·D·H·A": layers * w_o}),
        Finding("Output layer, D·V", "parameters", 80_411_200, held.components["head"], {}),
        Finding("Parameters", "parameters", 2_004_177_600, held.total, {"W_O, L·D·H·A": layers * w_o}),
        Finding(
            "Bytes in float32",
            "bytes",
            8_016_710_400,
            weight_bytes(config).total,
            {"W_O, 4·L·D·H·A": 4 * layers * w_o},
        ),
        counted("FLOPs of scores, one layer", 1_677_721_600, flops["scores"]),
        counted("FLOPs of W_O, one layer", 2_621_440_000, flops["output"]),
        counted("FLOPs of the FFN, one layer", 20_971_520_000 + 10_485_760_000, flops["ffn"]),
        counted("FLOPs of one layer", 38_377_881_600, layer_flops, 1),
        counted("FLOPs of all layers", 1_842_138_316_800, layers * layer_flops, layers),
        counted("FLOPs of the output layer", 82_341_068_800, flops["head"]),
        counted("FLOPs of a forward pass", 1_924_479_385_600, work.total, layers),
    ]
