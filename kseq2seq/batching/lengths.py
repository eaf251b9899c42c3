"""Which sequences to pad together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kseq2seq.arguments import check_whole


def group_by_length(
    lengths: Sequence[np.ndarray], num_groups: int, *, batch_size: int = 1
) -> list[np.ndarray]:
    """Return the rows of each group, which are to be padded to the group's longest.

    All rows start as one group. Then, again and again, one group is cut in two by the
    length of one side: of all groups, sides and lengths, those whose cut saves the most
    padding. At last the rows that a group has beyond its whole batches, the longest,
    move to a wider group, where there is one, so that few batches are incomplete.

    Parameters
    ----------
    lengths : sequence of arrays of int ``(n,)``
        The lengths of all rows on each side, without END.
    num_groups : int
        The largest number of groups; there are fewer where no cut saves padding.
    batch_size : int, default 1

    Returns
    -------
    list of numpy.ndarray
        The indices of each group's rows, in ascending order.
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
    """Return the groups after each has given its incomplete batch to a wider one.

    The groups are visited from the narrowest to the widest. Of each, the longest rows,
    as many as exceed its whole batches, move to the next group that is at least as wide
    on every side. A group for which there is none keeps its incomplete batch.
    """
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
    """Rows, and the cut of them that saves the most padding.

    The cut puts rows of up to `length` on the side of index `side` into one part and
    the longer ones into the other; `saved` is the number of ids and PADs that it saves,
    0 where no cut saves any.
    """

    rows: np.ndarray
    saved: int
    side: int
    length: int


def _best_cut(lengths: Sequence[np.ndarray], rows: np.ndarray) -> _Group:
    """Return the rows with their best cut, found by trying every length of each side.

    On each side, `marks` are the lengths that occur, in ascending order, and `mark` is
    the index of each row's.
    """
    best = _Group(rows, 0, 0, 0)
    for side, own in enumerate(lengths):
        marks, mark = np.unique(own[rows], return_inverse=True)
        if len(marks) < 2:
            continue
        longest = np.array(
            [_longest(other[rows], mark, len(marks)) + 1 for other in lengths]  # END
        )
        # The width of all sides together, of the rows up to each mark and from it on.
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
    """Return for each mark the largest length among the rows that have it."""
    longest = np.zeros(num_marks, dtype=np.int64)
    np.maximum.at(longest, mark, lengths)
    return longest
