"""Which sequences to pad together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kseq2seq.arguments import check_whole


def group_by_length(
    lengths: Sequence[np.ndarray], num_groups: int, *, batch_size: int = 1
) -> list[np.ndarray]:
    """Return the rows of each group; those of a group are padded to its longest.

    One group is cut in two after the other: always that group, on that side and at that
    length, where the cut saves the most places. Then the longest rows of a group that
    fill no batch go to the next that is wide enough for them, where there is one.

    Parameters
    ----------
    lengths : sequence of arrays of int ``(n,)``
        Of each side, without END.
    num_groups : int
        How many groups to make at most; fewer where no cut saves a place.
    batch_size : int, default 1
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
    return _whole_batches([group.rows for group in groups], lengths, batch_size)


def _whole_batches(
    groups: list[np.ndarray], lengths: Sequence[np.ndarray], batch_size: int
) -> list[np.ndarray]:
    """Return the groups, each of whole batches if a wider one takes the rest."""
    widths = np.array([[side[rows].max() for side in lengths] for rows in groups])
    order = np.argsort(widths.sum(axis=1), kind="stable")
    for i, g in enumerate(order):
        wide_enough = [h for h in order[i + 1 :] if np.all(widths[h] >= widths[g])]
        if wide_enough:
            rows, h = groups[g], wide_enough[0]
            places = np.sum([side[rows] for side in lengths], axis=0)
            rows = rows[np.argsort(places, kind="stable")]
            whole = len(rows) // batch_size * batch_size
            groups[g], rest = np.sort(rows[:whole]), rows[whole:]
            groups[h] = np.sort(np.concatenate([groups[h], rest]))
    return [rows for rows in groups if len(rows)]


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
