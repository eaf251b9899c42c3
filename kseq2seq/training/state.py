"""The state of a training after each epoch, and how a training resumes from it."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kseq2seq.batching import BucketedBatches, StreamBatches
from kseq2seq.training.optimizers import build_once

_NUMBERS = (bool, int, float, type(None))


@dataclass(frozen=True)
class TrainingState:
    """Where a training stands after an epoch, beside the model's trainable weights.

    Attributes
    ----------
    description : dict
        JSON values: whole ``"epochs"`` done, of how many in all (``"of"``), whether it
        has ``"ended"``, and if so whether it was ``"stopped"`` before the last of them
        was due; its ``"history"``, and where the order of the batches (None for a
        stream) and the callbacks stand.
    arrays : mapping of str to numpy.ndarray
        The optimizer's variables, the model's that are not trained (the seeds of
        dropout among them) and the arrays of callbacks; the names start with
        ``"training/"``. None of them where model and optimizer are still at hand, after
        an interrupt.
    """

    description: dict[str, Any]
    arrays: Mapping[str, np.ndarray]

    def epochs_of(self, epochs: int) -> int:
        """Return how many epochs of a training are done: all, if it was stopped.

        One that has done as many as it was to do may be given more.
        """
        described = self.description
        if described.get("stopped", described["ended"]):
            return epochs
        return min(described["epochs"], epochs)


class Checkpointing(keras.callbacks.Callback):
    """Hand over the state after each whole epoch; take one up when training begins.

    Without `save` it only counts the whole epochs. It must be the last callback. Of the
    others it keeps what is a number, an array, a list of arrays or a dict of numbers,
    all that Keras's own remember; not what their constructors take, which is theirs to
    say.

    Parameters
    ----------
    batches : BucketedBatches or StreamBatches
    callbacks : sequence of keras.callbacks.Callback
    history : keras.callbacks.History
    save : callable, optional
        Gets the state.
    state : TrainingState, optional
        To resume from.
    interrupts : list
        Has something in it when the training ends because it was interrupted.
    """

    def __init__(
        self,
        batches: BucketedBatches | StreamBatches,
        callbacks: Sequence[keras.callbacks.Callback],
        history: keras.callbacks.History,
        *,
        save: Callable[[TrainingState], None] | None = None,
        state: TrainingState | None = None,
        interrupts: Sequence[Any] = (),
    ) -> None:
        super().__init__()
        self.batches, self.callbacks, self.history = batches, callbacks, history
        self.save, self.state, self.interrupts = save, state, interrupts
        self.last_step = -1
        self.epochs_done = 0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Resume from the state, if there is one."""
        if self.state is None:
            return
        described, arrays = self.state.description, self.state.arrays
        self.epochs_done = described["epochs"]
        if arrays:
            build_once(self.model.optimizer, self.model.trainable_variables)
            for name, variable in self._variables().items():
                variable.assign(_fitting(name, arrays, tuple(variable.shape)))
        if isinstance(self.batches, BucketedBatches):
            self.batches.random_state = described["batches"]
        self.history.history.update(
            {name: list(values) for name, values in described["history"].items()}
        )
        remembered = described["callbacks"]
        for name, callback in self._named_callbacks():
            _remind(callback, remembered.get(name, {}), arrays)

    def on_train_batch_end(
        self, batch: int, logs: dict[str, float] | None = None
    ) -> None:
        """Note how far the epoch is."""
        self.last_step = batch

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Hand over the state, unless the epoch was broken off."""
        if self.last_step + 1 < self.params["steps"]:
            return
        self.epochs_done = epoch + 1
        if self.save is None:
            return
        arrays = {
            name: keras.ops.convert_to_numpy(variable)
            for name, variable in self._variables().items()
        }
        remembered = {}
        for name, callback in self._named_callbacks():
            remembered[name], own_arrays = _memory(
                f"training/callbacks/{name}", callback
            )
            arrays |= own_arrays
        stopped = bool(self.model.stop_training) and not self.interrupts
        self.save(TrainingState(self._described(remembered, stopped=stopped), arrays))

    def interrupted(self) -> TrainingState:
        """Return where a training stands that an interrupt has ended.

        That is after its last whole epoch: what it trained of the next one stays in the
        weights, but the epoch is still due. Model and optimizer are not in the state,
        and callbacks will begin anew.
        """
        return TrainingState(self._described({}, stopped=False), {})

    def _described(
        self, remembered: dict[str, Any], *, stopped: bool
    ) -> dict[str, Any]:
        """Return the description of the state after the last whole epoch."""
        batches, done = self.batches, self.epochs_done
        return {
            "epochs": done,
            "of": self.params["epochs"],
            "ended": stopped or done == self.params["epochs"],
            "stopped": stopped,
            "history": {
                name: [float(value) for value in values[:done]]
                for name, values in self.history.history.items()
            },
            "batches": (
                batches.random_state if isinstance(batches, BucketedBatches) else None
            ),
            "callbacks": remembered,
        }

    def _named_callbacks(self) -> Iterator[tuple[str, keras.callbacks.Callback]]:
        """Yield each callback that is remembered, after a name that it keeps.

        The name is its class and its number among those of the class, so that others
        may be added between two runs, or left out.
        """
        seen: Counter[str] = Counter()
        for callback in self.callbacks:
            if not getattr(callback, "is_remembered", True):
                continue
            kind = type(callback).__name__
            yield f"{kind}_{seen[kind]}", callback
            seen[kind] += 1

    def _variables(self) -> dict[str, Any]:
        """Return what changes in training, by name, but not the trainable weights."""
        model = self.model
        elsewhere = [*model.trainable_variables, *model.metrics_variables]
        known = {id(variable) for variable in elsewhere}
        others = [v for v in model.variables if id(v) not in known]
        return {
            f"training/{name}/{i}": variable
            for name, variables in (
                ("optimizer", model.optimizer.variables),
                ("model", others),
            )
            for i, variable in enumerate(variables)
        }


def _fitting(
    name: str, arrays: Mapping[str, np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    """Return an array of a state, or raise unless it is of a variable's shape."""
    found = arrays.get(name)
    if found is None or found.shape != shape or found.dtype.kind not in "biuf":
        raise ValueError(
            f"the checkpoint does not go with this training: {name} must be numbers "
            f"{shape}; got {None if found is None else found.shape}. Freeze the same "
            "layers as then, or choose another path for the checkpoint."
        )
    return found


def _memory(
    prefix: str, callback: keras.callbacks.Callback
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return a callback's numbers, with the names of its arrays, and these."""
    described: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    given = inspect.signature(type(callback)).parameters
    for name, value in vars(callback).items():
        if name in given:  # and Keras changes the sign of some, each time anew
            continue
        listed = value if isinstance(value, list) else [value]
        if isinstance(value, _NUMBERS):
            described[name] = value
        elif isinstance(value, np.generic):
            described[name] = value.item()
        elif listed and all(isinstance(item, np.ndarray) for item in listed):
            names = [f"{prefix}/{name}/{i}" for i in range(len(listed))]
            arrays |= dict(zip(names, listed, strict=True))
            described[name] = {"arrays": names, "listed": listed is value}
        elif isinstance(value, dict) and _are_numbers(value):
            described[name] = {"numbers": value}
    return described, arrays


def _are_numbers(values: Mapping[Any, Any]) -> bool:
    """Whether these are numbers by name."""
    return all(isinstance(name, str) for name in values) and all(
        isinstance(value, _NUMBERS) for value in values.values()
    )


def _remind(
    callback: keras.callbacks.Callback,
    remembered: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Give a callback what it remembered."""
    for name, value in remembered.items():
        if name not in vars(callback):
            continue
        before = vars(callback)[name]
        is_number = isinstance(value, int | float)
        if isinstance(before, int | float) and not is_number:
            raise ValueError(
                f"the checkpoint does not go with this training: {name} of "
                f"{type(callback).__name__} must be a number; got {value!r:.60}."
            )
        if isinstance(value, dict) and "numbers" in value:
            value = dict(value["numbers"])
        elif isinstance(value, dict):
            listed = [_kept_array(array, arrays) for array in value["arrays"]]
            value = listed if value["listed"] else listed[0]
        setattr(callback, name, value)


def _kept_array(name: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    if name not in arrays:
        raise ValueError(f"the checkpoint lacks the array {name!r:.60}.")
    return arrays[name]
