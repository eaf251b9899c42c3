"""Batches drawn from an iterator while they are used, with no data set in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import keras
import numpy as np

from kseq2seq.arguments import check_batch_size, check_whole, is_pair, shown
from kseq2seq.batching.buckets import Batch, PairBucket, check_sides
from kseq2seq.ragged import RaggedIds

Ids = Sequence[Sequence[int]]

WIDTH_STEP = 8
"""Widths are multiples of this, so that a compiled step sees few shapes."""

MOST_STEPS = 10**9

LOOK_AHEAD = 64
"""The number of an epoch's first batches that are kept; no backend looks at more."""


def check_steps(steps: int) -> int:
    """Return how many batches make an epoch, or raise unless it is 2 or more."""
    return check_whole("steps_per_epoch", steps, minimum=2, maximum=MOST_STEPS)


class StreamBatches(keras.utils.PyDataset):
    """Batches of pairs, each drawn once, with a fixed number of batches an epoch.

    Each has the form of a batch of :class:`Batches`, its widths rounded up.

    Parameters
    ----------
    drawn : iterable of (sources, targets)
        The ids of each batch's pairs, without START and END.
    batch_size : int
        Batches with fewer pairs are filled up with rows of weight 0.
    steps : int
        Batches an epoch; at least 2.

    Attributes
    ----------
    error : BaseException or None
        What ended the stream, if it failed or ended too early; Keras would hide it.

    Examples
    --------
    >>> from itertools import repeat
    >>> from kseq2seq.batching import StreamBatches
    >>> batches = StreamBatches(repeat(([[4, 5]], [[6]])), batch_size=1, steps=3)
    >>> len(batches), batches[0][0]["source_ids"]
    (3, array([[4, 5, 3, 0, 0, 0, 0, 0]], dtype=int32))
    """

    num_buckets = 1

    def __init__(
        self, drawn: Iterable[tuple[Ids, Ids]], *, batch_size: int, steps: int
    ) -> None:
        super().__init__()
        self.batch_size = check_batch_size(batch_size)
        # Keras looks at two batches to see which widths vary.
        self._steps = check_steps(steps)
        self._drawn = iter(drawn)
        self._begun: dict[int, Batch] = {}
        self._num_drawn = 0
        self._first_widths = 0, 0
        self._has_begun = False
        self.error: BaseException | None = None

    def __len__(self) -> int:
        return self._steps

    def on_epoch_begin(self) -> None:
        """Note that batches are now served, and no longer only looked at."""
        self._has_begun = True

    def __getitem__(self, index: int) -> Batch:
        """Return the next batch.

        Backends look at two batches before the first epoch, or begin one twice; so the
        first batches stay until their epoch has been served to its end.
        """
        if index in self._begun:
            batch = self._begun[index]
        else:
            batch = self._draw()
            if index < LOOK_AHEAD:
                self._begun[index] = batch
        if self._has_begun and index == self._steps - 1:
            self._begun.clear()
        return batch

    def _draw(self) -> Batch:
        try:
            sides = self._next()
        except BaseException as error:  # an interrupt, too, would get lost in a backend
            self.error = error
            raise
        widths = _rounded(sides[0]), _rounded(sides[1])
        if self._num_drawn == 1:
            # Wider than the first batch, to show that widths vary.
            widths = (
                max(widths[0], self._first_widths[0] + WIDTH_STEP),
                max(widths[1], self._first_widths[1] + WIDTH_STEP),
            )
        elif not self._num_drawn:
            self._first_widths = widths
        self._num_drawn += 1
        rows = np.arange(len(sides[0]))
        bucket = PairBucket(*sides, rows, np.ones(len(rows)), widths)
        return bucket.batch(rows, self.batch_size)

    def _next(self) -> tuple[RaggedIds, RaggedIds]:
        for batch in self._drawn:
            if not is_pair(batch):
                raise TypeError(
                    "a batch of a stream must be (sources, targets); got "
                    f"{shown(batch)}."
                )
            sources, targets = map(RaggedIds.of, batch)
            check_sides(len(sources), len(targets), "targets")
            return sources, targets
        raise ValueError(
            f"the stream ended after {self._num_drawn} batches, before its epoch of "
            f"{self._steps} did. Pass an endless one, or fewer epochs or "
            "steps_per_epoch."
        )


def _rounded(sequences: RaggedIds) -> int:
    """Return the width with END, rounded up to the next multiple of the step."""
    return -(-int(sequences.lengths.max() + 1) // WIDTH_STEP) * WIDTH_STEP
