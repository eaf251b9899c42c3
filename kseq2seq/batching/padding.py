"""Sequences to padded arrays; the teacher-forcing shift is made here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kseq2seq.arguments import check_unmasked
from kseq2seq.ragged import RaggedIds
from kseq2seq.vocabulary import START


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

    Raises
    ------
    ValueError, TypeError
        When these are no sequences of ids, or the longest is wider.

    Examples
    --------
    >>> from kseq2seq.batching import pad
    >>> pad([[4, 3], [5, 6, 3]])
    array([[4, 3, 0],
           [5, 6, 3]], dtype=int32)
    """
    return RaggedIds.of(sequences).padded(width=width)


def close_and_pad(
    sequences: Sequence[Sequence[int]], width: int | None = None
) -> np.ndarray:
    """Return the padded sequences, each closed by END: an empty one has an id, too.

    Parameters and result as in :func:`pad`.
    """
    return RaggedIds.of(sequences).padded(width=width, closed=True)


def shift(target_ids: np.ndarray) -> np.ndarray:
    """Return the decoder's inputs: START, then the targets without their last column.

    Parameters
    ----------
    target_ids : numpy.ndarray
        int32, ``(batch, target_len)``, each row closed by END.

    Returns
    -------
    numpy.ndarray
        int32, ``(batch, target_len)``: at every step the token before the target.

    Raises
    ------
    TypeError
        When these are no array of ids: :func:`shift_values` is for real values.
    """
    target_ids = _as_array("target_ids", target_ids)
    if target_ids.dtype.kind not in "iu" or target_ids.ndim != 2:
        raise TypeError(
            "shift takes ids, whole numbers (batch, target_len), which close_and_pad "
            "makes of sequences; for real values use shift_values. Got "
            f"{target_ids.dtype} {target_ids.shape}."
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
        Of the same shape: at every step the frame before the target.

    Raises
    ------
    TypeError
        When these are no numbers of that shape.
    """
    target_values = _as_array("target_values", target_values)
    if target_values.dtype.kind not in "fiu" or target_values.ndim != 3:
        raise TypeError(
            "shift_values takes numbers (batch, target_len, features); got "
            f"{target_values.dtype} {target_values.shape}."
        )
    decoder_input_values = np.zeros_like(target_values)
    decoder_input_values[:, 1:] = target_values[:, :-1]
    return decoder_input_values


def _as_array(name: str, values: Any) -> np.ndarray:
    """Return the values as an array, or raise where they have no one shape."""
    check_unmasked(name, values)
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must be an array; got {type(values).__name__}: {error}"
        ) from None
