"""Real values as users have them to sequences of frames, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.utils import check_array

from kseq2seq.arguments import check_unmasked, shown
from kseq2seq.ragged import RaggedValues


@dataclass(frozen=True)
class SourceValues:
    """How sources of real values are given.

    Attributes
    ----------
    num_features : int
        How many values a frame has.
    has_gaps : bool
        Whether some frames are missing, or sequences are of different lengths, so that
        models must leave frames out.
    allows_nan : bool
        Whether NaN may stand for what is missing.
    """

    num_features: int
    has_gaps: bool
    allows_nan: bool

    @classmethod
    def learn(cls, X: Any, *, allows_nan: bool) -> tuple[Self, RaggedValues]:
        """Return how these sources are given, and the sources.

        Raises
        ------
        ValueError, TypeError
            When they are no sequences of frames of the same features.
        """
        values = value_sequences("X", X, allows_nan=allows_nan)
        unequal = len(np.unique(values.lengths)) > 1
        has_gaps = unequal or bool(np.isnan(values.flat).any())
        return cls(values.num_features, has_gaps, allows_nan), values

    def encode(self, X: Any) -> RaggedValues:
        """Return sources that are given as those of `learn` were.

        Raises
        ------
        ValueError, TypeError
            When they are no such sequences, or have other features.
        """
        values = value_sequences("X", X, allows_nan=self.allows_nan)
        if values.num_features != self.num_features:
            raise ValueError(
                f"X must have {self.num_features} features a frame, as in fit; got "
                f"{values.num_features}."
            )
        if not self.has_gaps and np.isnan(values.flat).any():
            raise ValueError(
                "X holds NaN, and the data of fit had no gaps, so the model knows "
                "none. Fit on sequences that have some, or fill them in."
            )
        return values

    def to_json(self) -> dict[str, Any]:
        """Return this as JSON values."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` described."""
        return cls(**described)


@dataclass(frozen=True)
class TargetValues:
    """How targets of real values are given.

    Attributes
    ----------
    ndim : int
        Of the user's array: 1 for ``(n,)``, 2 for ``(n, targets)``, 3 for ``(n,
        horizon, targets)``.
    horizon : int
        How many frames an answer has; 1 unless `ndim` is 3.
    num_targets : int
        How many values a frame has.
    allows_nan : bool
    """

    ndim: int
    horizon: int
    num_targets: int
    allows_nan: bool

    @classmethod
    def learn(cls, y: Any, *, allows_nan: bool) -> tuple[Self, np.ndarray]:
        """Return how these targets are given, and them as ``(n, horizon, targets)``.

        Raises
        ------
        ValueError, TypeError
            When they are no numbers of such a shape.
        """
        array = _array("y", y, allows_nan=allows_nan)
        if array.ndim not in (1, 2, 3) or 0 in array.shape:
            raise ValueError(
                "y must be of shape (n,), (n, targets) or (n, horizon, targets), none "
                f"of them 0; got {array.shape}."
            )
        if np.isnan(array).all():
            raise ValueError("y holds nothing but NaN, of which nothing is learned.")
        frames = _frames_of(array)
        _, horizon, num_targets = frames.shape
        return cls(array.ndim, horizon, num_targets, allows_nan), frames

    def encode(self, y: Any) -> np.ndarray:
        """Return targets that are given as those of `learn` were.

        Raises
        ------
        ValueError, TypeError
            When they are of another shape.
        """
        array = _array("y", y, allows_nan=self.allows_nan)
        expected = (self.horizon, self.num_targets)[3 - self.ndim :]
        if array.shape[1:] != expected:
            sizes = ", ".join(map(str, ("n", *expected)))
            raise ValueError(
                f"y must be of shape ({sizes}), as in fit; got {array.shape}."
            )
        if np.isnan(array).all():
            raise ValueError("y holds nothing but NaN, against which nothing counts.")
        return _frames_of(array)

    def decode(self, frames: np.ndarray) -> np.ndarray:
        """Return ``(n, horizon, targets, ...)`` in the shape that targets were given.

        Axes behind these three stay.
        """
        if self.ndim == 3:
            return frames
        return frames[:, 0] if self.ndim == 2 else frames[:, 0, 0]

    def to_json(self) -> dict[str, Any]:
        """Return this as JSON values."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` described."""
        return cls(**described)


def value_sequences(name: str, values: Any, *, allows_nan: bool) -> RaggedValues:
    """Return sequences of frames, float64.

    Parameters
    ----------
    name : str
        What errors call the values.
    values : array ``(n, len)`` or ``(n, len, features)``, or list of arrays
        A list may hold arrays of different lengths, ``(len,)`` or ``(len, features)``.
    allows_nan : bool

    Raises
    ------
    ValueError, TypeError
        When they are no numbers of such a shape; the message names the place.
    """
    check_unmasked(name, values)
    if _is_unequal(values):
        arrays = [
            _sequence(f"{name}[{i}]", one, allows_nan=allows_nan)
            for i, one in enumerate(values)
        ]
        widths = [array.shape[1] for array in arrays]
        odd = next((i for i, width in enumerate(widths) if width != widths[0]), None)
        if odd is not None:
            raise ValueError(
                f"{name} must have the same features in all sequences; {name}[0] has "
                f"{widths[0]}, and {name}[{odd}] has {widths[odd]}."
            )
        return RaggedValues.of(arrays)
    array = _array(name, values, allows_nan=allows_nan)
    if array.ndim not in (2, 3) or 0 in array.shape:
        repair = ""
        if array.ndim == 1:
            repair = f" Reshape your data: a single sequence is {name}[None]."
        raise ValueError(
            f"{name} must be of shape (n, len), (n, len, features), none of them 0, or "
            f"a list of sequences; got {array.shape}.{repair}"
        )
    if array.ndim == 2:
        array = array[..., None]
    return RaggedValues.of_array(array)


def _sequence(name: str, values: Any, *, allows_nan: bool) -> np.ndarray:
    """Return one sequence of a list as ``(len, features)``."""
    array = _array(name, values, allows_nan=allows_nan)
    if array.ndim not in (1, 2) or 0 in array.shape:
        raise ValueError(
            f"{name} must be of shape (len,) or (len, features), none of them 0; got "
            f"{array.shape}."
        )
    return array[:, None] if array.ndim == 1 else array


def _is_unequal(values: Any) -> bool:
    """Whether this is a list of sequences that make no one array."""
    if isinstance(values, np.ndarray):
        return values.dtype == object and values.ndim == 1 and _has_sequences(values)
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        return False
    return _has_sequences(values) and len({np.shape(each) for each in values}) > 1


def _has_sequences(values: Any) -> bool:
    """Whether all of these are sequences, of numbers or frames."""
    try:
        return len(values) > 0 and all(np.ndim(each) in (1, 2) for each in values)
    except ValueError:  # lists of different lengths inside
        return False


def _array(name: str, values: Any, *, allows_nan: bool) -> np.ndarray:
    """Return values as a float64 array; raise where they are no finite numbers."""
    check_unmasked(name, values)
    if isinstance(values, str | bytes):
        raise TypeError(f"{name} must be an array of numbers; got {shown(values)}.")
    array = check_array(
        values,
        dtype=np.float64,
        ensure_2d=False,
        allow_nd=True,
        ensure_all_finite=False,
        ensure_min_samples=0,
        ensure_min_features=0,
        input_name=name,
    )
    too_large = np.abs(array) > np.finfo(np.float32).max
    wrong = too_large if allows_nan else too_large | np.isnan(array)
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = f"{name}[{', '.join(map(str, position))}]"
        repair = "Leave such rows out, or fill in what is missing"
        if np.isnan(array[position]):
            repair += "; or pass missing='mask', and NaN counts as missing"
        raise ValueError(
            f"{name} must not hold NaN, infinity or numbers beyond float32; {place} is "
            f"{array[position]}. {repair}."
        )
    return array


def _frames_of(array: np.ndarray) -> np.ndarray:
    """Return targets as ``(n, horizon, targets)``."""
    return array.reshape(len(array), *(1, 1)[: 3 - array.ndim], *array.shape[1:])
