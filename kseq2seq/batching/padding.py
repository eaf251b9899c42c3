"""Sequences to padded arrays; the teacher-forcing shift is made here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kseq2seq.vocabulary import END, PAD, START


def pad(sequences: Sequence[Sequence[int]], width: int | None = None) -> np.ndarray:
    """Return the sequences as one int32 array, PAD on the right.

    Parameters
    ----------
    sequences : sequence of sequences of int
    width : int, optional
        The array's width; that of the longest sequence when None.

    Returns
    -------
    numpy.ndarray
        int32, ``(len(sequences), width)``.

    Examples
    --------
    >>> from kseq2seq.batching import pad
    >>> pad([[4, 3], [5, 6, 3]])
    array([[4, 3, 0],
           [5, 6, 3]], dtype=int32)
    """
    lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
    if width is None:
        width = int(lengths.max(initial=0))
    padded = np.full((len(sequences), width), PAD, dtype=np.int32)
    inside = np.arange(width) < lengths[:, None]
    padded[inside] = [i for sequence in sequences for i in sequence]
    return padded


def close_and_pad(
    sequences: Sequence[Sequence[int]], width: int | None = None
) -> np.ndarray:
    """Close every sequence with END and pad; so even an empty one has an id to read.

    Parameters and result as in :func:`pad`.
    """
    return pad([[*sequence, END] for sequence in sequences], width)


def shift(target_ids: np.ndarray) -> np.ndarray:
    """Return the decoder's inputs: START, then the targets without their last column.

    Parameters
    ----------
    target_ids : numpy.ndarray
        int32, ``(batch, target_len)``, each row closed by END.

    Returns
    -------
    numpy.ndarray
        int32, ``(batch, target_len)``: at every step the token before the one to come.

    Raises
    ------
    TypeError
        When these are no ids: :func:`shift_values` is for real values.
    """
    if np.asarray(target_ids).dtype.kind not in "iu":
        raise TypeError(
            "shift takes ids, which are whole numbers; for real values use "
            f"shift_values. Got {np.asarray(target_ids).dtype}."
        )
    decoder_input_ids = np.full_like(target_ids, START)
    decoder_input_ids[:, 1:] = target_ids[:, :-1]
    return decoder_input_ids


def shift_values(target_values: np.ndarray) -> np.ndarray:
    """Return the decoder's inputs for real values: a frame of zeros, then all but one.

    Parameters
    ----------
    target_values : numpy.ndarray
        ``(batch, target_len, features)``.

    Returns
    -------
    numpy.ndarray
        Of the same shape: at every step the frame before the one to come.
    """
    decoder_input_values = np.zeros_like(target_values)
    decoder_input_values[:, 1:] = target_values[:, :-1]
    return decoder_input_values


def widen(ids: np.ndarray, width: int) -> np.ndarray:
    """Return the ids with PAD on the right, up to a width at least."""
    missing = max(width - ids.shape[1], 0)
    return np.pad(ids, ((0, 0), (0, missing)), constant_values=PAD)
