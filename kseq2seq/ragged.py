"""Sequences of different lengths, of ids or of real values, kept in one array."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Self, overload

import numpy as np

from kseq2seq.arguments import check_unmasked, check_whole, shown
from kseq2seq.vocabulary import END, PAD

_BLOCK = 65_536


class Ragged(Sequence):
    """A sequence of arrays of different lengths, joined in one array.

    Parameters
    ----------
    flat : numpy.ndarray
        The rows of all sequences, joined.
    lengths : numpy.ndarray
        The number of rows of each sequence.
    """

    def __init__(self, flat: np.ndarray, lengths: np.ndarray) -> None:
        self.flat = flat
        self.lengths = lengths.astype(np.int32)
        self.starts = np.cumsum(lengths, dtype=np.int64) - lengths

    def take(self, rows: np.ndarray) -> Self:
        """Return the sequences of these rows, in their order."""
        lengths = self.lengths[rows]
        flat = np.empty((int(lengths.sum()), *self.flat.shape[1:]), self.flat.dtype)
        start = 0
        for i in range(0, len(rows), _BLOCK):  # few positions at a time in memory
            positions = self._positions(rows[i : i + _BLOCK])
            flat[start : start + len(positions)] = self.flat[positions]
            start += len(positions)
        return type(self)(flat, lengths)

    def _positions(self, rows: np.ndarray) -> np.ndarray:
        """Return the positions in ``self.flat`` of all of these rows, row by row."""
        lengths = self.lengths[rows]
        shifts = self.starts[rows] - (np.cumsum(lengths) - lengths)
        return np.arange(lengths.sum()) + np.repeat(shifts, lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> np.ndarray | Self:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        start = self.starts[index]
        return self.flat[start : start + self.lengths[index]]


class RaggedValues(Ragged):
    """Sequences of frames of real values, ``(len, features)`` each.

    Examples
    --------
    >>> import numpy as np
    >>> from kseq2seq.ragged import RaggedValues
    >>> series = RaggedValues.of([np.ones((1, 2)), np.zeros((2, 2))])
    >>> series.padded()[0].tolist()
    [[1.0, 1.0], [nan, nan]]
    """

    @classmethod
    def of(cls, arrays: Sequence[np.ndarray]) -> RaggedValues:
        """Return arrays ``(len, features)`` of the same features, joined."""
        return cls(np.concatenate(arrays), np.array([len(a) for a in arrays], np.int64))

    @classmethod
    def of_array(cls, array: np.ndarray) -> RaggedValues:
        """Return sequences of one length, ``(n, len, features)``."""
        n, length, features = array.shape
        return cls(array.reshape(-1, features), np.full(n, length))

    @property
    def num_features(self) -> int:
        """How many values a frame has."""
        return self.flat.shape[1]

    def padded(
        self,
        rows: Any = slice(None),
        width: int | None = None,
        dtype: Any = np.float32,
    ) -> np.ndarray:
        """Return sequences as one array ``(n, width, features)``, NaN on the right.

        Parameters
        ----------
        rows : array of int, optional
            The indices of the sequences; all of them when not given.
        width : int, optional
            The array's width; that of the longest of them when None.
        dtype : type, default float32
        """
        starts, lengths = self.starts[rows], self.lengths[rows]
        width = int(lengths.max(initial=0)) if width is None else width
        columns = np.arange(width)
        inside = columns < lengths[:, None]
        shape = (len(lengths), width, self.num_features)
        padded = np.full(shape, np.nan, dtype=dtype)
        padded[inside] = self.flat[(starts[:, None] + columns)[inside]]
        return padded


class RaggedIds(Ragged):
    """A sequence of id sequences, which takes 4 bytes an id and 12 a sequence.

    Each element is an int32 array. Lists of lists take some ten times as much memory,
    and padding them is slow.

    Parameters
    ----------
    ids : numpy.ndarray
        int32, the ids of all sequences, joined.
    lengths : numpy.ndarray
        The number of ids of each sequence.

    Examples
    --------
    >>> from kseq2seq.ragged import RaggedIds
    >>> sequences = RaggedIds.of([[4, 5], [], [6]])
    >>> sequences.padded()
    array([[4, 5],
           [0, 0],
           [6, 0]], dtype=int32)
    """

    def __init__(self, ids: np.ndarray, lengths: np.ndarray) -> None:
        super().__init__(ids, lengths)

    @property
    def ids(self) -> np.ndarray:
        """The ids of all sequences, joined."""
        return self.flat

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]]) -> RaggedIds:
        """Return the sequences as RaggedIds, the same object where it is one.

        Raises
        ------
        ValueError, TypeError
            When they are not lists of whole numbers of at least 0.
        """
        if isinstance(sequences, cls):
            return sequences
        if not isinstance(sequences, Iterable):
            raise TypeError(f"expected sequences of ids; got {shown(sequences)}.")
        check_unmasked("sequences", sequences)
        flat, lengths = array("i"), array("q")
        for i, sequence in enumerate(sequences):
            check_unmasked(f"sequences[{i}]", sequence)
            try:
                flat.extend(sequence)
                lengths.append(len(sequence))
            except (TypeError, OverflowError):
                raise TypeError(
                    f"expected sequences of ids, whole numbers below 2**31; sequence "
                    f"{i} is {shown(sequence)}."
                ) from None
        ids = np.array(flat, np.int32)
        if ids.min(initial=0) < 0:
            raise ValueError(f"ids must be at least 0; got {ids.min()}.")
        return cls(ids, np.array(lengths, np.int64))

    def tolist(self) -> list[list[int]]:
        """Return the sequences as lists."""
        return [sequence.tolist() for sequence in self]

    def backwards(self) -> RaggedIds:
        """Return the sequences, each in reversed order."""
        mirrors = np.repeat(2 * self.starts + self.lengths - 1, self.lengths)
        return RaggedIds(self.ids[mirrors - np.arange(len(self.ids))], self.lengths)

    def joined(self, others: RaggedIds) -> RaggedIds:
        """Return the sequences, each followed by the other one of its place."""
        lengths = self.lengths + others.lengths
        joined = RaggedIds(np.empty(int(lengths.sum()), np.int32), lengths)
        for part, starts in (
            (self, joined.starts),
            (others, joined.starts + self.lengths),
        ):
            shifts = np.repeat(starts - part.starts, part.lengths)
            joined.ids[np.arange(len(part.ids)) + shifts] = part.ids
        return joined

    def keep(self, kept: np.ndarray) -> RaggedIds:
        """Return the sequences with those ids alone where a mask of all ids is True."""
        before = np.concatenate([[0], np.cumsum(kept)])
        lengths = before[self.starts + self.lengths] - before[self.starts]
        return RaggedIds(self.ids[kept], lengths)

    def padded(
        self, rows: Any = slice(None), width: int | None = None, *, closed: bool = False
    ) -> np.ndarray:
        """Return sequences as one int32 array, PAD on the right.

        Parameters
        ----------
        rows : array of int, optional
            The indices of the sequences; all of them when not given.
        width : int, optional
            The array's width; that of the longest of them when None.
        closed : bool, default False
            Whether END follows the ids of each.

        Raises
        ------
        ValueError, TypeError
            When the width is too small, or no whole number.
        """
        starts, lengths = self.starts[rows], self.lengths[rows]
        longest = int(lengths.max(initial=0)) + closed
        width = longest if width is None else check_whole("width", width, minimum=0)
        if width < longest:
            raise ValueError(
                f"width must be at least {longest}, which the longest sequence takes"
                f"{' with its END' if closed else ''}; got {width}."
            )
        columns = np.arange(width)
        inside = columns < lengths[:, None]
        padded = np.full((len(lengths), width), PAD, dtype=np.int32)
        padded[inside] = self.ids[(starts[:, None] + columns)[inside]]
        if closed:
            padded[np.arange(len(lengths)), lengths] = END
        return padded
