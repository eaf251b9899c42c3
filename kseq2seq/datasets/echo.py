"""Sequences of integers, and their beginnings."""

from __future__ import annotations

import numpy as np

from kseq2seq.arguments import check_size, check_whole, make_rng


def make_echo(
    n_samples: int,
    n_in: int = 5,
    n_out: int = 2,
    n_values: int = 100,
    *,
    random_state: int | np.random.Generator | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Make sequences of integers whose first few are to be said again.

    Parameters
    ----------
    n_samples : int
        How many pairs to make.
    n_in : int, default 5
        How many integers a sequence has; from 1.
    n_out : int, default 2
        How many of them to echo; 1 to `n_in`.
    n_values : int, default 100
        How many values there are: 0 to ``n_values - 1``, each as likely.
    random_state : int, optional
        Seeds the integers.

    Returns
    -------
    X : numpy.ndarray
        int64, ``(n_samples, n_in)``.
    y : numpy.ndarray
        int64, ``(n_samples, n_out)``: the first columns of X.

    Raises
    ------
    ValueError
        When `n_out` is above `n_in`.

    Examples
    --------
    >>> from kseq2seq.datasets import make_echo
    >>> X, y = make_echo(2, random_state=0)
    >>> X
    array([[85, 63, 51, 26, 30],
           [ 4,  7,  1, 17, 81]])
    >>> y
    array([[85, 63],
           [ 4,  7]])
    """
    check_size("n_samples", n_samples)
    check_size("n_in", n_in)
    check_size("n_out", n_out)
    check_whole("n_values", n_values, maximum=2**63 - 1)
    if n_out > n_in:
        raise ValueError(
            f"n_out must be at most n_in, which is {n_in}: there is no more to echo; "
            f"got {n_out}."
        )
    X = make_rng(random_state).integers(n_values, size=(n_samples, n_in))
    return X, X[:, :n_out].copy()
