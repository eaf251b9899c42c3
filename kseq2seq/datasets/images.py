"""Pictures of which a part is hidden."""

from __future__ import annotations

from typing import Any

import numpy as np

from kseq2seq.arguments import check_unmasked


def mask_left_half(images: Any) -> tuple[np.ndarray, np.ndarray]:
    """Hide the left half of each picture, to be restored from the right one.

    Parameters
    ----------
    images : array of numbers from 0 to 1, ``(n, height, width)``
        It is not changed. The width is at least 2; when it is odd, the middle column
        stays to be seen.

    Returns
    -------
    masked : numpy.ndarray
        float32, ``(n, height, width)``: the first ``width // 2`` columns are 0.
    images : numpy.ndarray
        float32, ``(n, height, width)``: a copy of the whole pictures.

    Raises
    ------
    TypeError
        When the pictures are not numbers.
    ValueError
        When they are of another shape, or not from 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from kseq2seq.datasets import mask_left_half
    >>> masked, images = mask_left_half(np.full((1, 2, 5), 0.5))
    >>> masked[0]
    array([[0. , 0. , 0.5, 0.5, 0.5],
           [0. , 0. , 0.5, 0.5, 0.5]], dtype=float32)
    """
    whole = _check_images(images).astype(np.float32)
    masked = whole.copy()
    masked[:, :, : whole.shape[2] // 2] = 0
    return masked, whole


def _check_images(images: Any) -> np.ndarray:
    check_unmasked("images", images)
    try:
        array = np.asarray(images)
    except ValueError:
        raise ValueError(
            "images must all be of one height and width, (n, height, width); got "
            "pictures or rows of several lengths."
        ) from None
    if array.dtype.kind not in "buif":
        raise TypeError(
            f"images must be numbers from 0 to 1; got {array.dtype} values."
        )
    if array.ndim != 3 or not array.size or array.shape[2] < 2:
        raise ValueError(
            "images must be of shape (n, height, width), none of them 0, the width at "
            f"least 2; got {array.shape}."
        )
    if not (array.min() >= 0 and array.max() <= 1):  # NaN is neither.
        raise ValueError(
            f"images must be finite numbers from 0 to 1; got {array.min():g} to "
            f"{array.max():g}. Divide by the largest value that a pixel can have, such "
            "as 16 or 255."
        )
    return array
