"""Byte-level BPE as a learner can read it: the same results as the fast tokenizer, in the plainest Python.

Read it from top to bottom. A text becomes bytes, the bytes are split into pretokens, and inside each pretoken adjacent
tokens merge. Training finds which pairs to merge; encoding merges them again in a new text; decoding joins bytes.

The tests hold the compiled tokenizer to this file, so it is also the definition of what bytepair does.

Examples
--------
>>> trained = train(["low low low lower newest newest widest"], n_merges=4)
>>> for left, right in trained:
...     print(left, "+", right)
b'l' + b'o'
b'lo' + b'w'
b'e' + b's'
b' ' + b'low'
>>> tokenizer = ReferenceTokenizer(trained)
>>> tokenizer.encode("lowest")
[257, 258, 116]
>>> tokenizer.decode([257, 258, 116])
'lowest'
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

__all__ = ["GPT2_PATTERN", "ReferenceTokenizer", "merge_pair", "pretokens", "train"]

# GPT-2's split, piece by piece: the endings 's 't 're 've 'm 'll 'd; letters, digits or other signs, each with the one
# space before them; and white space, all of it but the last character if a word follows, which takes that one along.
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

Pair = tuple[bytes, bytes]
Word = tuple[bytes, ...]


def pretokens(text: str, pattern: str = GPT2_PATTERN) -> list[bytes]:
    """Split a text into pretokens; merges never cross from one to the next.

    What the pattern does not match is a pretoken of its own, so that nothing is lost.

    >>> pretokens("It's 42  cats")
    [b'It', b"'s", b' 42', b' ', b' cats']
    """
    import regex  # Python's own `re` knows no \p{L}

    pieces = []
    end = 0
    for match in regex.finditer(pattern, text):
        if match.start() > end:
            pieces.append(text[end : match.start()])
        if match.end() > match.start():
            pieces.append(match.group())
        end = match.end()
    pieces.append(text[end:])
    return [piece.encode() for piece in pieces if piece]


def split_specials(text: str, specials: Sequence[str]) -> list[str]:
    """Cut a text at special tokens and keep them: the odd items are special. The longest wins.

    >>> split_specials("a<s>b<s><t>", ["<s>", "<s><t>"])
    ['a', '<s>', 'b', '<s><t>', '']
    """
    import re

    if not specials:
        return [text]
    longest_first = sorted(specials, key=len, reverse=True)
    return re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text)


def merge_pair(word: Word, pair: Pair) -> Word:
    """Join every occurrence of a pair in a word, from left to right.

    >>> merge_pair((b"a", b"a", b"a", b"b"), (b"a", b"a"))
    (b'aa', b'a', b'b')
    """
    merged: list[bytes] = []
    index = 0
    while index < len(word):
        if word[index : index + 2] == pair:
            merged.append(word[index] + word[index + 1])
            index += 2
        else:
            merged.append(word[index])
            index += 1
    return tuple(merged)


def single_bytes(text: bytes) -> Word:
    """Return the bytes of a text one by one.

    >>> single_bytes(b"abc")
    (b'a', b'b', b'c')
    """
    return tuple(text[index : index + 1] for index in range(len(text)))


def hugging_face_order() -> dict[bytes, int]:
    """Return the number of each single byte in Hugging Face's order.

    GPT-2 gave each byte a printable character. The 188 printable bytes of Latin-1 keep their own, in order, and come
    first; the others follow.

    >>> order = hugging_face_order()
    >>> order[b"!"], order[b"a"], order[b" "]
    (0, 64, 220)
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {bytes([byte]): number for number, byte in enumerate(printable + others)}


def train(
    documents: Iterable[str],
    n_merges: int,
    *,
    tie: str = "hf",
    pattern: str = GPT2_PATTERN,
    special_tokens: Sequence[str] = (),
    min_frequency: int = 1,
    max_token_length: int | None = None,
    start: Sequence[Pair] = (),
) -> list[Pair]:
    """Learn merges: again and again, join the pair that occurs most often; those of `start` come first.

    Equal counts are decided by `tie`: "hf" and "id" take the pair of smallest ids, where the first 256 ids are the
    bytes in Hugging Face's order or in their own and the rest are the merges as they are made; "bytes" takes the
    greatest pair of byte strings.

    O(n_merges * n) for n bytes of distinct pretokens: it counts anew each time.

    >>> train(["aaab"], 2)
    [(b'a', b'a'), (b'a', b'b')]
    """
    words: Counter[Word] = Counter()
    for document in documents:
        for text in split_specials(document, special_tokens)[::2]:
            words.update(map(single_bytes, pretokens(text, pattern)))

    ids = hugging_face_order() if tie == "hf" else {bytes([byte]): byte for byte in range(256)}

    def preference(pair: Pair) -> tuple[object, object]:
        return pair if tie == "bytes" else (-ids[pair[0]], -ids[pair[1]])

    merges: list[Pair] = []
    while len(merges) < n_merges:
        counts: Counter[Pair] = Counter()
        for word, count in words.items():
            for left, right in pairwise(word):
                if max_token_length is None or len(left + right) <= max_token_length:
                    counts[left, right] += count
        best = max(counts, key=lambda pair: (counts[pair], preference(pair)), default=None)
        if len(merges) < len(start):
            best = start[len(merges)]
        elif best is None or counts[best] < max(1, min_frequency):
            break
        merges.append(best)
        ids[best[0] + best[1]] = len(ids)
        joined: Counter[Word] = Counter()
        for word, count in words.items():
            joined[merge_pair(word, best)] += count
        words = joined
    return merges


class ReferenceTokenizer:
    """Encode and decode with merges: the 256 bytes have the ids 0 to 255, merge ``k`` makes the id ``256 + k``."""

    def __init__(self, merges: Iterable[Pair], pattern: str = GPT2_PATTERN) -> None:
        self.pattern = pattern
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        tokens = [bytes([byte]) for byte in range(256)] + [left + right for left, right in self.ranks]
        self.tokens = dict(enumerate(tokens))
        self.ids = {token: token_id for token_id, token in self.tokens.items()}

    def encode_pretoken(self, pretoken: bytes) -> Word:
        """Merge the bytes of a pretoken: always the pair that was learned first, until no pair was ever learned.

        O(n**2) for n bytes.
        """
        word = single_bytes(pretoken)
        while len(word) > 1:
            first = min(pairwise(word), key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if first not in self.ranks:
                break
            word = merge_pair(word, first)
        return word

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; special tokens in it are plain text."""
        return [self.ids[token] for piece in pretokens(text, self.pattern) for token in self.encode_pretoken(piece)]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; what is not UTF-8 becomes U+FFFD."""
        return b"".join(self.tokens[token_id] for token_id in ids).decode(errors="replace")
