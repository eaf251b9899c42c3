"""Layers for input feeding: a step reads the attentional vector of the one before."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_register = keras.saving.register_keras_serializable(package="kseq2seq")


@_register
class NothingYet(keras.layers.Layer):
    """Zeros in place of an attentional vector, which the first decoder step is fed.

    There is no step before the first, and so no attentional vector yet. The layer is
    called with any values ``(batch, any width)``, a recurrent state for instance, only
    to learn the size of the batch; it gives ``(batch, width)``.

    Parameters
    ----------
    width : int
        The width of attentional vectors.
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width

    def call(self, values: Any) -> Any:
        return ops.repeat(ops.zeros_like(values[:, :1]), self.width, axis=1)

    def compute_output_spec(self, values: Any) -> keras.KerasTensor:
        return keras.KerasTensor((values.shape[0], self.width), dtype=values.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}


@_register
class StepCell(keras.layers.Layer):
    """A model of one step as the cell of a ``keras.layers.RNN``.

    Parameters
    ----------
    step : keras.Model
        ``[inputs (batch, 1, width), *states, *constants]`` to ``[outputs (batch, 1,
        output_size), *new states, ...]``. As a recurrent layer knows no constants, they
        are states that do not change.
    num_states : int
    gives_all : bool, default False
        Whether a step gives a list of all its outputs but the states, for
        :class:`FeedAlong`, and not the first one alone.
    """

    def __init__(
        self,
        step: keras.Model,
        num_states: int,
        gives_all: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.step, self.num_states, self.gives_all = step, num_states, gives_all
        self.state_size = [given.shape[-1] for given in step.inputs[1:]]
        self.output_size = step.outputs[0].shape[-1]

    def build(self, *shapes: Any) -> None:
        """Build nothing: the model is built."""

    def call(
        self, inputs: Any, states: list[Any], training: bool = False
    ) -> tuple[Any, list[Any]]:
        memory = list(states)
        outputs, *others = self.step(
            [ops.expand_dims(inputs, 1), *memory], training=training
        )
        states = [*others[: self.num_states], *memory[self.num_states :]]
        if not self.gives_all:
            return outputs[:, 0], states
        return [one[:, 0] for one in (outputs, *others[self.num_states :])], states

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "step": keras.saving.serialize_keras_object(self.step),
            "num_states": self.num_states,
            "gives_all": self.gives_all,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> StepCell:
        step = keras.saving.deserialize_keras_object(config["step"])
        return cls(**{**config, "step": step})


@_register
class FeedAlong(keras.layers.RNN):
    """All steps of a :class:`StepCell` that gives several outputs, each of all steps.

    ``keras.layers.RNN`` is for cells of one output. Called with inputs ``(batch, len,
    width)`` and the memory; gives a list of ``(batch, len, width of the output)``.
    """

    def call(
        self, sequences: Any, initial_state: list[Any], training: bool = False
    ) -> list[Any]:
        _, outputs, _ = self.inner_loop(
            sequences, list(initial_state), mask=None, training=training
        )
        return list(outputs)

    def compute_output_spec(
        self, sequences: Any, initial_state: list[Any], training: bool = False
    ) -> list[keras.KerasTensor]:
        outputs, cell = self.cell.step.outputs, self.cell
        return [
            keras.KerasTensor((*sequences.shape[:2], one.shape[-1]), dtype=one.dtype)
            for one in (outputs[0], *outputs[1 + cell.num_states :])
        ]
