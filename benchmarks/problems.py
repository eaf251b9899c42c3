"""The arithmetic problems that all contenders learn and answer.

Nothing here imports Keras or PyTorch, so that no contender loads the other's library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kseq2seq.datasets import make_arithmetic
from kseq2seq.vocabulary import END, FIRST_TOKEN, PAD

SOURCE_WIDTH, TARGET_WIDTH = 7, 10
"""Wide enough for every problem of three digits ("999*999"), and for every result."""
_PORTION = 10_000


def problems(num_pairs: int) -> Iterator[tuple[str, str]]:
    """Yield problems and results, the same ones each time.

    They are made in portions: what making them takes in memory does not depend on how
    many there are, and so does not hide what the contenders take.
    """
    for start in range(0, num_pairs, _PORTION):
        size = min(_PORTION, num_pairs - start)
        yield from zip(*make_arithmetic(size, random_state=start), strict=True)


def texts(num_pairs: int) -> tuple[list[str], list[str]]:
    """Return problems and results as two lists."""
    sources, targets = [], []
    for source, target in problems(num_pairs):
        sources.append(source)
        targets.append(target)
    return sources, targets


def aligned(texts: Sequence[str], width: int) -> list[str]:
    """Return the texts with spaces before them, all of one width."""
    return [text.rjust(width) for text in texts]


def codes(texts: Sequence[str], width: int) -> np.ndarray:
    """Return aligned texts as the numbers of their characters, ``(n, width)`` int32."""
    characters = np.array(aligned(texts, width), dtype=f"U{width}")
    return characters.view(np.int32).reshape(-1, width)  # a character is four bytes


def padded_ids(
    texts: Sequence[str], *, left: bool = False
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return ids closed by END and padded, their lengths, and how many ids there are.

    The ids are those that kseq2seq would use, but for the order of the characters.
    """
    alphabet = sorted(set("".join(texts)))
    id_of = {character: i for i, character in enumerate(alphabet, FIRST_TOKEN)}
    lengths = np.array([len(text) + 1 for text in texts])
    ids = np.full((len(texts), lengths.max()), PAD, dtype=np.int64)
    for row, text, length in zip(ids, texts, lengths, strict=True):
        start = len(row) - length if left else 0
        row[start : start + length] = [*map(id_of.__getitem__, text), END]
    return ids, lengths, FIRST_TOKEN + len(alphabet)
