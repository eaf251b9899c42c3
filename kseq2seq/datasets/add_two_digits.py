"""Rows of digits, of which a marked one and the last are to be added."""

from __future__ import annotations

import numpy as np

from kseq2seq.arguments import check_size, make_rng

_MARKER = -1


def make_add_two_digits(
    n_samples: int,
    length: int,
    *,
    random_state: int | np.random.Generator | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Make rows of digits with a marker, and sums of the marked and the last digit.

    The marker, -1, stands right before the marked digit, which is never the last one;
    each such position is as likely, and so is each digit.

    Parameters
    ----------
    n_samples : int
        How many rows to make.
    length : int
        How many places a row has, the marker's included; from 3.
    random_state : int, optional
        Seeds digits and markers.

    Returns
    -------
    X : numpy.ndarray
        int64, ``(n_samples, length)``: digits from 0 to 9, and -1 once a row.
    y : numpy.ndarray
        int64, ``(n_samples,)``: sums from 0 to 18.

    Raises
    ------
    ValueError
        When a row is too short.

    Examples
    --------
    >>> from kseq2seq.datasets import make_add_two_digits
    >>> X, y = make_add_two_digits(3, 6, random_state=0)
    >>> X
    array([[ 8,  6, -1,  2,  3,  0],
           [ 0,  0,  1, -1,  6,  9],
           [ 5, -1,  9,  7,  6,  5]])
    >>> y
    array([ 2, 15, 14])
    """
    check_size("n_samples", n_samples)
    if check_size("length", length) < 3:
        raise ValueError(
            "length must be at least 3; a shorter row is too short for the marker, "
            f"the marked digit and the last digit; got {length}."
        )
    rng = make_rng(random_state)
    X = rng.integers(10, size=(n_samples, length))
    markers = rng.integers(length - 2, size=n_samples)
    rows = np.arange(n_samples)
    X[rows, markers] = _MARKER
    return X, X[rows, markers + 1] + X[:, -1]
