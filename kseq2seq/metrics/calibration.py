"""How far probabilities can be believed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kseq2seq.arguments import check_whole, written


def expected_calibration_error(
    right: Sequence[bool], probabilities: Sequence[float], *, num_bins: int = 15
) -> float:
    """Return how far answers' probabilities are from the share that is right, 0 to 1.

    Answers are sorted into bins of equal width by their probability; the error is the
    mean, over the answers, of the distance between the mean probability of a bin and
    the share of its answers that are right (Guo et al., 2017, arXiv:1706.04599,
    equation 3).

    Parameters
    ----------
    right : sequence of bool ``(n,)``
        Whether each answer is right, as :func:`kseq2seq.metrics.matches` says.
    probabilities : sequence of float ``(n,)``
        The probability that the model gives each answer, 0 to 1.
    num_bins : int, default 15

    Returns
    -------
    float
        0 where what was said to be right in p of 100 cases was so in p of 100.

    Raises
    ------
    ValueError, TypeError
        When there are no answers, not as many of both, or these are no probabilities.

    Examples
    --------
    >>> from kseq2seq.metrics import expected_calibration_error
    >>> expected_calibration_error([True, True, True, False], [0.75] * 4)
    0.0
    >>> expected_calibration_error([True, True], [0.5, 0.5])
    0.5
    """
    check_whole("num_bins", num_bins)
    try:
        hits = np.asarray(right, float)
        sure = np.asarray(probabilities, float)
    except (TypeError, ValueError):
        raise TypeError(
            "right must hold True or False, and probabilities numbers; got "
            f"{written(right)} and {written(probabilities)}."
        ) from None
    if hits.ndim != 1 or hits.shape != sure.shape or not hits.size:
        raise ValueError(
            "right and probabilities must be of one shape (n,), n at least 1; got "
            f"{hits.shape} and {sure.shape}."
        )
    if not np.isin(hits, (0, 1)).all() or not ((sure >= 0) & (sure <= 1)).all():
        raise ValueError(
            "right must hold True or False, and probabilities numbers from 0 to 1; got "
            f"{written(right)} and {written(probabilities)}."
        )
    bins = np.minimum((sure * num_bins).astype(int), num_bins - 1)
    gaps = np.bincount(bins, weights=hits - sure)  # the sum over each bin
    return float(np.abs(gaps).sum() / len(hits))
