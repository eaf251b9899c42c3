"""The models that answer, as classes of their own."""

from __future__ import annotations

import functools
import threading
from contextlib import nullcontext
from typing import Any

import keras

from kseq2seq import _tensorflow
from kseq2seq.arguments import check_array
from kseq2seq.layers.fixed_shape import FixedShapeModel

_register = keras.saving.register_keras_serializable(package="kseq2seq")
_wraps: Any = functools.wraps  # typed, it would make of a method an attribute
_ALONE: Any = threading.RLock() if keras.backend.backend() == "jax" else nullcontext()
"""Held while a model predicts: on JAX, Keras gives its weights away meanwhile, and
other models that share them would find them deleted."""


@_register
class Generator(keras.Model):
    """A functional model that answers, and says where it would wait for ever.

    Raises
    ------
    RuntimeError
        In a process that was forked after TensorFlow had run in its parent.
    TypeError
        When it is asked to predict of lists in place of an array.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        _tensorflow.check_can_run()
        return super().__call__(*args, **kwargs)

    @_wraps(keras.Model.predict)
    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        _tensorflow.check_can_run()
        if len(self.inputs) == 1:
            check_array(self.inputs[0].name, x)
        with _ALONE:
            return super().predict(x, *args, **kwargs)

    @_wraps(keras.Model.predict_on_batch)
    def predict_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        _tensorflow.check_can_run()
        with _ALONE:
            return super().predict_on_batch(*args, **kwargs)


@_register
class FixedShapeGenerator(Generator, FixedShapeModel):
    """A generator of real values that says what is wrong with another shape."""
