"""Models to train, which say what is wrong with arrays and with what measures them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kseq2seq.arguments import check_array, check_ids, check_numbers, written
from kseq2seq.layers.masks import masks_nan
from kseq2seq.vocabulary import PAD

_register = keras.saving.register_keras_serializable(package="kseq2seq")
_wraps: Any = functools.wraps  # typed, it would make of a method an attribute
_COUNTS_PADDING = (
    str,  # the names of Keras's metrics
    keras.metrics.Accuracy,
    keras.metrics.SparseCategoricalAccuracy,
    keras.metrics.SparseTopKCategoricalAccuracy,
)
_MORE_IDS = (
    "Build the models with a larger vocabulary size: ids 0 to 3 are PAD, UNK, START "
    "and END, and tokens follow."
)


@_register
class TrainingModel(keras.Model):
    """A functional model that says what is wrong with what it is trained with.

    Made and used as ``keras.Model(inputs, outputs)`` is. Arrays are checked before
    Keras traces anything; datasets and generators are Keras's own matter.

    Raises
    ------
    ValueError, TypeError
        When it is fitted or evaluated with lists in place of arrays, or with arrays
        that are not of its shapes, or hold values that are no finite numbers or ids
        that its vocabularies lack; the message names the place.
    """

    @_wraps(keras.Model.compile)
    def compile(
        self, optimizer: Any = "rmsprop", loss: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        if not self.has_real_values:
            self._tell_of_probabilities(loss)
        if self._target_input is not None and not self.has_real_values:
            self._tell_of_padding(kwargs.get("metrics"))
        super().compile(optimizer, loss, *args, **kwargs)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile a model that is loaded, as Keras does where `compile` is its own."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    @_wraps(keras.Model.fit)
    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        self._check_arrays(x, y)
        check_array("sample_weight", kwargs.get("sample_weight"))
        if kwargs.get("sample_weight") is None and not self.has_real_values:
            self._tell_of_padded_loss(y)
        self._tell_of_unshifted(self._by_name(x), y)
        validation = kwargs.get("validation_data")
        if isinstance(validation, tuple | list) and len(validation) > 1:
            self._check_arrays(*validation[:2])
        return super().fit(x, y, *args, **kwargs)

    @_wraps(keras.Model.evaluate)
    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        self._check_arrays(x, y)
        return super().evaluate(x, y, *args, **kwargs)

    @_wraps(keras.Model.train_on_batch)
    def train_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        self._check_arrays(x, y)
        return super().train_on_batch(x, y, *args, **kwargs)

    @_wraps(keras.Model.test_on_batch)
    def test_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        self._check_arrays(x, y)
        return super().test_on_batch(x, y, *args, **kwargs)

    @property
    def _target_input(self) -> str | None:
        """The name of the decoder's input, None where there is no decoder."""
        names = [given.name for given in self.inputs]
        return next((name for name in names if name.startswith("decoder_")), None)

    @property
    def has_real_values(self) -> bool:
        """Whether the outputs are real values, and no logits."""
        return self._target_input == "decoder_input_values"

    def _check_arrays(self, x: Any, y: Any) -> None:
        """Raise unless the arrays are those that the model is trained with."""
        given = self._by_name(x)
        source_of_gaps = self.inputs[0] if masks_nan(self) else None
        for spec in self.inputs:
            _check_input(spec, given.get(spec.name), allows_nan=spec is source_of_gaps)
            if spec.name.endswith("_ids"):
                size = self._num_ids(spec.name)
                check_ids(spec.name, given.get(spec.name), size, _MORE_IDS)
        if not _compares_steps(self.loss):
            return
        if given:
            check_array("y", y)
        if self._target_input is not None:
            features = self.outputs[0].shape[2:3] if self.has_real_values else ()
            _check_targets(y, given.get(self._target_input), features)
        if not self.has_real_values and len(_shape(y) or ()) == self._target_rank:
            self._check_target_ids(y)

    @property
    def _target_rank(self) -> int:
        """How many axes targets have that are ids or classes."""
        return len(self.outputs[0].shape) - 1

    def _num_ids(self, name: str) -> int:
        """Return how many ids an input may have."""
        if name == self._target_input:
            return self.outputs[0].shape[-1]
        for layer in self.layers:
            if layer.name == "source_embedding":
                return getattr(layer, "input_dim", None) or layer.size
        return np.iinfo(np.int32).max  # the layer is inside another model

    def _check_target_ids(self, y: Any) -> None:
        """Raise unless targets are ids, or classes, that there are logits of."""
        ignored = [getattr(one, "ignore_class", None) for one in _losses(self.loss)]
        if isinstance(y, np.ndarray) and any(i is not None for i in ignored):
            y = np.where(np.isin(y, [i for i in ignored if i is not None]), PAD, y)
        repair = _MORE_IDS if self._target_input else "Raise num_classes."
        check_ids("y", y, self.outputs[0].shape[-1], repair)

    def _by_name(self, x: Any) -> dict[str, Any]:
        """Return the inputs by their names, as far as they are given as arrays."""
        if isinstance(x, Mapping):
            return dict(x)
        values = list(x) if isinstance(x, tuple | list) else [x]
        if len(values) != len(self.inputs) == 1:
            values = [x]  # rows in a list
        if len(values) != len(self.inputs):
            return {}  # Keras says which it wants
        return {s.name: value for s, value in zip(self.inputs, values, strict=True)}

    def _tell_of_unshifted(self, given: Mapping[str, Any], y: Any) -> None:
        """Warn where a decoder is fed the very tokens that it is to predict."""
        inputs = given.get("decoder_input_ids")
        feeds_back = all(one.name != "repeat_encoder_state" for one in self.layers)
        if not (isinstance(inputs, np.ndarray) and isinstance(y, np.ndarray)):
            return
        if feeds_back and np.array_equal(inputs, y):
            warnings.warn(
                "decoder_input_ids are y itself: the decoder is fed each token that it "
                "is to predict, and learns to repeat it. Pass "
                "kseq2seq.batching.shift(y), which puts START first.",
                stacklevel=3,
            )

    def _tell_of_probabilities(self, loss: Any) -> None:
        """Warn of a loss that takes the logits for probabilities."""
        ours = "MaskedCrossentropy" if self._target_input else "Crossentropy"
        for one in keras.tree.flatten(loss):
            name = one if isinstance(one, str) else getattr(one, "__name__", "")
            by_name = "crossentropy" in name.lower().replace("_", "")
            if by_name or getattr(one, "from_logits", True) is False:
                warnings.warn(
                    f"loss={written(one)} takes the model's logits for probabilities. "
                    f"Pass loss=kseq2seq.training.{ours}(), which is of logits.",
                    stacklevel=3,
                )

    def _tell_of_padding(self, metrics: Any) -> None:
        """Warn of metrics that count padding as tokens."""
        for one in keras.tree.flatten(metrics):
            if isinstance(one, _COUNTS_PADDING):
                warnings.warn(
                    f"the metric {written(one)} counts padding, too. Pass metrics="
                    "[kseq2seq.training.TeacherForcedAccuracy()], which leaves it out.",
                    stacklevel=3,
                )

    def _tell_of_padded_loss(self, y: Any) -> None:
        """Warn where targets are padded and the loss counts padding as tokens."""
        if self._target_input is None or _shape(y) is None:
            return
        for one in _losses(self.loss):
            sparse = isinstance(one, keras.losses.SparseCategoricalCrossentropy)
            if sparse and one.ignore_class is None and (np.asarray(y) == PAD).any():
                warnings.warn(
                    f"the loss {one.name!r} counts padding, the zeros in y, too. Pass "
                    "loss=kseq2seq.training.MaskedCrossentropy(), which leaves it out, "
                    "or ignore_class=0 or a sample_weight of each token.",
                    stacklevel=3,
                )


def _losses(loss: Any) -> list[Any]:
    return list(keras.tree.flatten(loss))


def _check_input(spec: Any, array: Any, *, allows_nan: bool) -> None:
    """Raise unless an input is of its shape; data sets are left to Keras."""
    side = "target" if spec.name.startswith("decoder_") else "source"
    width = spec.name if spec.name == "decoder_features" else f"{side}_features"
    features = spec.shape[2:]
    sizes = ", ".join(map(str, ("batch", f"{side}_len", *features)))
    check_array(spec.name, array, f"an array of shape ({sizes})")
    shape = _shape(array)
    if shape is None:
        return
    repair = ""
    if features and shape[2:] != features:
        repair = f" Build the models with {width}={shape[-1]}, or choose some."
    if features == (1,) and len(shape) == 2:
        repair = f" Single values need a last axis: {spec.name}[..., None]."
    if len(shape) != len(spec.shape) or 0 in shape or repair:
        raise ValueError(
            f"{spec.name} must be of shape ({sizes}), none of them 0; got {shape}."
            f"{repair}"
        )
    check_numbers(spec.name, array, allows_nan=allows_nan)


def _check_targets(y: Any, inputs: Any, features: tuple[int, ...]) -> None:
    """Raise unless there is a target for each decoder input.

    What follows the steps in the shape of real values are their features; targets of
    ids may be of any sort that the loss knows.
    """
    shape, steps = _shape(y), (_shape(inputs) or ())[:2]
    if not steps:
        return
    if y is None:
        raise ValueError("y is missing: pass fit(x, y), a target for each input.")
    if shape is None:
        return
    if shape[:2] != steps or (features and shape[2:] != features):
        repair = ""
        if (*shape, 1) == (*steps, *features):
            repair = " Single values need a last axis: y[..., None]."
        raise ValueError(
            f"y must be of shape {(*steps, *features)}, a target for each decoder "
            f"input; got {shape}.{repair}"
        )
    check_numbers("y", y)


def _shape(array: Any) -> tuple[int | None, ...] | None:
    """Return the shape of an array or a tensor, None of anything else."""
    try:
        return tuple(array.shape)
    except (AttributeError, TypeError, ValueError):  # or a rank still open
        return None


def _compares_steps(loss: Any) -> bool:
    """Whether the loss, of Keras or ours, compares outputs and targets step by step.

    One of a user's own may do with targets what it likes.
    """
    for one in keras.tree.flatten(loss):
        name = one if isinstance(one, str) else getattr(one, "name", "")
        home = "keras" if isinstance(one, str) else getattr(one, "__module__", "")
        if "ctc" in str(name).lower() or not home.startswith(("keras", "kseq2seq")):
            return False
    return loss is not None
