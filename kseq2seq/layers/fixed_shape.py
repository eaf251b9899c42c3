"""Models that say what is wrong with an array of another shape."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import keras

from kseq2seq.arguments import check_numbers
from kseq2seq.layers.masks import masks_nan

_register = keras.saving.register_keras_serializable(package="kseq2seq")
_wraps: Any = functools.wraps  # typed, it would make of a method an attribute


@_register
class FixedShapeModel(keras.Model):
    """A functional model that says what is wrong with arrays of another shape.

    Made and used as ``keras.Model(inputs, outputs)`` is. Arrays are checked before
    Keras traces anything, so that the model works on once they are mended.

    Raises
    ------
    ValueError
        When it is called, fitted, evaluated or asked to predict with an array whose
        shape is not the input's, or, but where it is called, holds values that are not
        finite.
    """

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_shape(inputs)
        return super().__call__(inputs, *args, **kwargs)

    @_wraps(keras.Model.fit)
    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        self._check_shape(x)
        self._check_values(x, y)
        return super().fit(x, y, *args, **kwargs)

    @_wraps(keras.Model.evaluate)
    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        self._check_shape(x)
        self._check_values(x, y)
        return super().evaluate(x, y, *args, **kwargs)

    @_wraps(keras.Model.predict)
    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_shape(x)
        self._check_values(x)
        return super().predict(x, *args, **kwargs)

    def _check_values(self, x: Any, y: Any = None) -> None:
        """Raise unless arrays hold finite numbers, or NaN where that marks a gap."""
        for i, (given, array) in enumerate(self._arrays(x)):
            gaps = i == 0 and masks_nan(self)
            check_numbers(given.name, array, allows_nan=gaps)
        check_numbers("y", y)

    def _arrays(self, x: Any) -> list[tuple[Any, Any]]:
        """Return each input with its array; none where they are given otherwise."""
        if isinstance(x, Mapping):
            return [(given, x.get(given.name)) for given in self.inputs]
        arrays = keras.tree.flatten(x)
        if len(arrays) != len(self.inputs):
            return []  # Keras says which it wants
        return list(zip(self.inputs, arrays, strict=True))

    def _check_shape(self, inputs: Any) -> None:
        """Raise unless each input is of its shape, as far as the shape is known."""
        for spec, given in self._arrays(inputs):
            try:
                shape = tuple(given.shape)
            except (AttributeError, ValueError):  # a dataset, or a rank still open
                continue
            expected = tuple(spec.shape[1:])
            fits = len(shape) == len(expected) + 1 and all(
                wanted is None or size in (None, wanted)
                for size, wanted in zip(shape[1:], expected, strict=True)
            )
            if not fits:
                raise ValueError(_complaint(spec.name, shape, expected))


def _complaint(
    name: str, shape: tuple[int | None, ...], expected: tuple[int | None, ...]
) -> str:
    sizes = ", ".join(map(str, expected))
    repair = "Bring them to that size, or build the models for this one."
    if shape == expected:
        repair = f"A single one needs a batch axis: {name}[None]."
    elif _count(shape[1:]) == _count(expected):
        repair = f"Reshape them: {name}.reshape(-1, {sizes})."
    return f"{name} must be of shape (batch, {sizes}); got {shape}. {repair}"


def _count(shape: tuple[int | None, ...]) -> int | None:
    """Return how many values an array of the shape holds, None if that is open."""
    return None if None in shape else math.prod(shape)  # type: ignore[arg-type]
