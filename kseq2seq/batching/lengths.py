"""Which sequences to pad together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kseq2seq.arguments import check_whole


def group_by_length(lengths: Sequence[np.ndarray], num_groups: int) -> list[np.ndarray]:
    """Return the rows of each group; those of a group are padded to its longest.

    One group is cut in two after the other: always that group, on that side and at that
    length, where the cut saves the most places.

    Parameters
    ----------
    lengths : sequence of arrays of int ``(n,)``
        Of each side, without END.
    num_groups : int
        How many groups to make at most; fewer where no cut saves a place.
    """
    check_whole("num_buckets", num_groups)
    groups = [_best_cut(lengths, np.arange(len(lengths[0])))]
    while len(groups) < num_groups:
        largest = max(range(len(groups)), key=lambda g: groups[g].saved)
        if not groups[largest].saved:
            break
        rows, _, side, length = groups.pop(largest)
        short = lengths[side][rows] <= length
        groups += [_best_cut(lengths, rows[part]) for part in (short, ~short)]
    return [group.rows for group in groups]


class _Group(NamedTuple):
    """Rows, and the cut of them that saves the most places."""

    rows: np.ndarray
    saved: int
    side: int
    length: int


def _best_cut(lengths: Sequence[np.ndarray], rows: np.ndarray) -> _Group:
    best = _Group(rows, 0, 0, 0)
    for side, own in enumerate(lengths):
        marks, mark = np.unique(own[rows], return_inverse=True)
        if len(marks) < 2:
            continue
        longest = np.array(
            [_longest(other[rows], mark, len(marks)) + 1 for other in lengths]  # END
        )
        up_to = np.maximum.accumulate(longest, axis=1).sum(axis=0)
        after = np.maximum.accumulate(longest[:, ::-1], axis=1)[:, ::-1].sum(axis=0)
        count = np.cumsum(np.bincount(mark))[:-1]
        cut = count * up_to[:-1] + (len(rows) - count) * after[1:]
        at = int(np.argmin(cut))
        saved = int(len(rows) * after[0] - cut[at])
        if saved > best.saved:
            best = _Group(rows, saved, side, int(marks[at]))
    return best


def _longest(lengths: np.ndarray, mark: np.ndarray, num_marks: int) -> np.ndarray:
    """Return the longest of the rows of each mark."""
    longest = np.zeros(num_marks, dtype=np.int64)
    np.maximum.at(longest, mark, lengths)
    return longest
