"""How the shares of a forward pass move with the size of a model and with the length of its input."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from bytepair.accounting.breakdown import WIDTH, Breakdown
from bytepair.accounting.flops import ATTENTION, forward_flops
from bytepair.transformer.config import COMPONENTS, Config

__all__ = ["Scaling", "crossover", "scaling"]

# Columns of a share in a table.
_SHARE = 7


def crossover(
    config: Config, components: Sequence[str] | None = None, *, causal: Literal["full", "exact"] = "full"
) -> int:
    """Return the shortest input for which scores and values take at least as many FLOPs as other components.

    Scores and values take 4·L·H·A FLOPs for each pair of a query and a key; others c for each token. With all T² pairs
    they meet at T = c / (4·L·H·A), with the T·(T+1)/2 that the mask allows at 2·c / (4·L·H·A) - 1.

    Parameters
    ----------
    config : Config
    components : sequence of str, optional
        With which to compare; by default all others together.
    causal : {"full", "exact"}, default "full"
        As in `forward_flops`.

    Returns
    -------
    int
        Tokens.

    Raises
    ------
    ValueError
        A component is unknown, or `causal` is.

    Examples
    --------
    >>> from bytepair.accounting import crossover
    >>> from bytepair.transformer import Config
    >>> notes = Config.preset("gpt2-xl-notes")
    >>> crossover(notes), crossover(notes, causal="exact"), crossover(notes, ["ffn"])
    (13324, 26647, 9600)
    """
    others = [name for name in COMPONENTS if name not in ATTENTION]
    wanted = others if components is None else components
    for name in wanted:
        if name not in others:
            raise ValueError(f"components must be some of {', '.join(others)}, not {name!r:.40}")
    if causal not in ("full", "exact"):
        raise ValueError(f"causal must be 'full' or 'exact', not {causal!r:.40}")
    one = forward_flops(config, 1).components
    each_token, each_pair = sum(one[name] for name in wanted), sum(one[name] for name in ATTENTION)
    if causal == "full":
        return max(1, -(-each_token // each_pair))
    return max(1, -(-2 * each_token // each_pair) - 1)


class Row(NamedTuple):
    """One model at one length."""

    name: str
    seq_len: int
    flops: Breakdown


@dataclass(frozen=True)
class Scaling:
    """Forward passes of several models at several lengths, side by side.

    Attributes
    ----------
    configs : mapping of str to Config
    seq_lens : tuple of int
    rows : tuple of Row
        One for each model at each length: by length, then in the order of the models.
    """

    configs: Mapping[str, Config]
    seq_lens: tuple[int, ...]
    rows: tuple[Row, ...]

    def flops(self, name: str, seq_len: int) -> Breakdown:
        """Return the breakdown of one model at one length.

        Raises
        ------
        KeyError
            It is not among the rows.
        """
        for row in self.rows:
            if (row.name, row.seq_len) == (name, seq_len):
                return row.flops
        raise KeyError((name, seq_len))

    def words(self) -> list[str]:
        """Return what grows and what shrinks, from the first model to the last and from the first length to the last.

        Returns
        -------
        list of str
            One or two paragraphs, and one for the lengths at which attention overtakes the rest.
        """
        names = list(self.configs)
        first, last = names[0], names[-1]
        short, long = self.seq_lens[0], self.seq_lens[-1]
        paragraphs = []
        if first != last:
            moved = _moves(self.flops(first, short), self.flops(last, short))
            paragraphs.append(
                f"From {first} to {last}, at {short:,} tokens: {moved} Projections and FFN are proportional to L·D² if "
                "F is to D, scores and values to L·D, and the head to D alone."
            )
        if short != long:
            moved = _moves(self.flops(last, short), self.flops(last, long))
            paragraphs.append(
                f"From {short:,} to {long:,} tokens, in {last}: {moved} Scores and values are proportional to T², all "
                "else to T."
            )
        for name in dict.fromkeys((first, last)):
            config = self.configs[name]
            paragraphs.append(
                f"In {name}, scores and values together overtake the FFN at {crossover(config, ['ffn']):,} tokens, and "
                f"all else together at {crossover(config):,}; if only the pairs that the causal mask allows are "
                f"counted, at {crossover(config, causal='exact'):,}."
            )
        return paragraphs

    def as_dict(self) -> dict[str, Any]:
        """Return what `bytepair account --json` prints of it."""
        return {
            "rows": [{"name": row.name, "seq_len": row.seq_len} | row.flops.as_dict() for row in self.rows],
            "crossover": {
                name: {"full": crossover(config), "exact": crossover(config, causal="exact")}
                for name, config in self.configs.items()
            },
            "words": self.words(),
        }

    def __str__(self) -> str:
        """Return a table of 80 columns, by length and model, and the words."""
        words = (textwrap.fill(paragraph, WIDTH) for paragraph in self.words())
        return "\n".join((*self._lines(), *words))

    def _lines(self) -> Iterator[str]:
        wide = max(len(f"{row.flops.total:,}") for row in self.rows)
        left = WIDTH - _SHARE * len(COMPONENTS)
        for seq_len in self.seq_lens:
            heading = f"{seq_len:,} tokens, shares in %"
            yield f"{heading}{'FLOPs':>{left - len(heading)}}" + "".join(f"{name:>{_SHARE}}" for name in COMPONENTS)
            for row in self.rows:
                if row.seq_len == seq_len:
                    shares = "".join(f"{100 * row.flops.share(name):{_SHARE}.2f}" for name in COMPONENTS)
                    name = f"  {row.name}"[: left - wide - 1]
                    yield f"{name:{left - wide}}{row.flops.total:{wide},}{shares}"


def scaling(configs: Mapping[str, Config], seq_lens: Sequence[int]) -> Scaling:
    """Return what becomes of each component's share as models and inputs grow.

    For B = 1 and all pairs of queries and keys. Projections and FFN are proportional to L·D²·T, scores and values to
    L·D·T², the head to D·V·T: wider and deeper models give less of their time to the head, longer inputs more of it to
    scores and values.

    Parameters
    ----------
    configs : mapping of str to Config
        By name, the smallest first.
    seq_lens : sequence of int
        Tokens, the shortest first.

    Returns
    -------
    Scaling
        Prints as a table and in words.

    Raises
    ------
    TypeError, ValueError
        There is no config or no length, or a length is no positive integer.

    Examples
    --------
    >>> from bytepair.accounting import scaling
    >>> from bytepair.transformer import Config
    >>> found = scaling({name: Config.preset(name) for name in ("small", "xl")}, [1024, 16384])
    >>> print(found)
    1,024 tokens, shares in %        FLOPs    qkv scores values output    ffn   head
      small                349,630,365,696  12.44   5.53   5.53   4.15  49.75  22.61
      xl                 4,513,336,524,800  16.73   3.57   3.57   5.58  66.91   3.65
    16,384 tokens, shares in %       FLOPs    qkv scores values output    ffn   head
      small             14,871,215,210,496   4.68  33.27  33.27   1.56  18.71   8.50
      xl               149,522,795,724,800   8.08  27.58  27.58   2.69  32.32   1.76
    From small to xl, at 1,024 tokens: 12.91 times the FLOPs. The shares that grow,
    in %: ffn 49.75 to 66.91, qkv 12.44 to 16.73, output 4.15 to 5.58. The shares
    that shrink, in %: head 22.61 to 3.65, scores 5.53 to 3.57, values 5.53 to 3.57.
    Projections and FFN are proportional to L·D² if F is to D, scores and values to
    L·D, and the head to D alone.
    From 1,024 to 16,384 tokens, in xl: 33.13 times the FLOPs. The shares that grow,
    in %: scores 3.57 to 27.58, values 3.57 to 27.58. The shares that shrink, in %:
    ffn 66.91 to 32.32, qkv 16.73 to 8.08, output 5.58 to 2.69, head 3.65 to 1.76.
    Scores and values are proportional to T², all else to T.
    In small, scores and values together overtake the FFN at 4,608 tokens, and all
    else together at 8,239; if only the pairs that the causal mask allows are
    counted, at 16,476.
    In xl, scores and values together overtake the FFN at 9,600 tokens, and all else
    together at 13,324; if only the pairs that the causal mask allows are counted,
    at 26,647.
    """
    if not configs or not seq_lens:
        raise ValueError("scaling needs at least one config and one length")
    rows = [
        Row(name, seq_len, forward_flops(config, seq_len)) for seq_len in seq_lens for name, config in configs.items()
    ]
    return Scaling(dict(configs), tuple(seq_lens), tuple(rows))


def _moves(before: Breakdown, after: Breakdown) -> str:
    """Say which shares grow and which shrink, those that move most first."""
    points = {name: after.share(name) - before.share(name) for name in before.components}
    said = [f"{after.total / before.total:.4g} times the FLOPs."]
    for verb, sign in (("grow", 1), ("shrink", -1)):
        moved = sorted((name for name in points if sign * points[name] > 0), key=lambda name: -abs(points[name]))
        shares = (f"{name} {100 * before.share(name):.2f} to {100 * after.share(name):.2f}" for name in moved)
        said += [f"The shares that {verb}, in %: {', '.join(shares)}."] if moved else []
    return " ".join(said)
