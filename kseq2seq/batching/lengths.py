"""Which sequences to pad together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kseq2seq.arguments import check_whole

MOST_CUTS = 256
"""Of more lengths than these, those next to each other stay together."""


def group_by_length(lengths: Sequence[np.ndarray], num_groups: int) -> list[np.ndarray]:
    """Return the rows of each group, from the shortest on.

    The rows are sorted by the sum of their sides' lengths and cut where padding every
    side of a group to its longest sequence, and to no less than the group before, takes
    the fewest places: a shortest path over the cuts, found group by group.

    Parameters
    ----------
    lengths : sequence of arrays of int ``(n,)``
        Of each side.
    num_groups : int
        How many groups to make at most; fewer where there are fewer lengths.
    """
    totals = np.sum(lengths, axis=0)
    marks, mark = np.unique(totals, return_inverse=True)
    if len(marks) > MOST_CUTS:
        mark = mark * MOST_CUTS // len(marks)
    num_marks = int(mark.max()) + 1
    num_groups = min(check_whole("num_buckets", num_groups), num_marks)
    width = _widths(lengths, mark, num_marks)
    rows_before = np.append(0, np.cumsum(np.bincount(mark, minlength=num_marks)))
    # places[a, b]: of a group of the marks from a to b, b included.
    places = (rows_before[None, 1:] - rows_before[:-1, None]) * width[None, :]
    places = np.where(np.tri(num_marks, k=-1, dtype=bool), np.inf, places)
    starts = _cheapest_path(places, num_groups)
    group = np.searchsorted(starts, mark, side="right") - 1
    return [np.flatnonzero(group == g) for g in range(num_groups)]


def _widths(
    lengths: Sequence[np.ndarray], mark: np.ndarray, num_marks: int
) -> np.ndarray:
    """Return how wide a row is, all sides together, in a group up to each mark."""
    width = np.zeros(num_marks)
    for side in lengths:
        longest = np.zeros(num_marks)
        np.maximum.at(longest, mark, side)
        width += np.maximum.accumulate(longest) + 1  # END
    return width


def _cheapest_path(costs: np.ndarray, num_groups: int) -> list[int]:
    """Return where the groups start: `costs[a, b]` is that of a group from a to b."""
    best = costs[0]  # of one group up to each mark
    came_from = []
    for _ in range(num_groups - 1):
        through = np.append(np.inf, best[:-1])[:, None] + costs
        came_from.append(np.argmin(through, axis=0))
        best = np.min(through, axis=0)
    starts, end = [], len(costs) - 1
    for start in reversed(came_from):
        starts.append(int(start[end]))
        end = starts[-1] - 1
    return [0, *reversed(starts)]
