"""The check of arrays of shares: accuracies, brightness."""

from __future__ import annotations

from typing import Any

import numpy as np

from kseq2seq.arguments import check_unmasked, written


def check_shares(name: str, values: Any, axes: tuple[str, ...]) -> np.ndarray:
    """Return numbers from 0 to 1 as an array with these axes, none of them empty."""
    shape = f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"
    check_unmasked(name, values)
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            f"{name} must be numbers from 0 to 1 of shape {shape}, without gaps; got "
            f"{written(values)}."
        ) from None
    if array.ndim != len(axes) or not array.size:
        raise ValueError(
            f"{name} must be of shape {shape}, none of them 0; got {array.shape}."
        )
    if not (array.min() >= 0 and array.max() <= 1):  # NaN is neither.
        raise ValueError(
            f"{name} must be finite numbers from 0 to 1; got {array.min():g} to "
            f"{array.max():g}."
        )
    return array
