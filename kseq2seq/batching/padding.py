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


FIRST_VALUES = ("zeros", "last")
"""What a decoder of real values is fed at its first step."""


def shift_values(
    target_values: np.ndarray, first: np.ndarray | None = None
) -> np.ndarray:
    """Return the decoder's inputs for real values: a first frame, then all but one.

    Parameters
    ----------
    target_values : numpy.ndarray
        ``(batch, target_len, features)``.
    first : numpy.ndarray, optional
        The first frame of each, ``(batch, features)``, such as the last one before
        (``source_values[:, -1]``); zeros when None.

    Returns
    -------
    numpy.ndarray
        Of the shape of the targets: at every step the frame before the target.

    Raises
    ------
    TypeError
        When these are no numbers of that shape.
    ValueError
        When first frames are not as many, or of other features.

    Examples
    --------
    >>> import numpy as np
    >>> from kseq2seq.batching import shift_values
    >>> future = np.array([[[4.0], [5.0]]])
    >>> shift_values(future).tolist()
    [[[0.0], [4.0]]]
    >>> shift_values(future, first=np.array([[3.0]])).tolist()
    [[[3.0], [4.0]]]
    """
    target_values = _as_array("target_values", target_values)
    if target_values.dtype.kind not in "fiu" or target_values.ndim != 3:
        raise TypeError(
            "shift_values takes numbers (batch, target_len, features); got "
            f"{target_values.dtype} {target_values.shape}."
        )
    if first is not None:
        first = _as_array("first", first)
        expected = (len(target_values), target_values.shape[2])
        if first.shape != expected:
            raise ValueError(
                f"first must be of shape {expected}, a frame for each target; got "
                f"{first.shape}."
            )
    start = np.zeros_like(target_values[:, 0]) if first is None else first
    return np.concatenate([start[:, None], target_values[:, :-1]], axis=1)


def _as_array(name: str, values: Any) -> np.ndarray:
    """Return the values as an array, or raise where they have no one shape."""
    check_unmasked(name, values)
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must be an array; got {type(values).__name__}: {error}"
        ) from None
