"""What an optimizer remembers: kept between two trainings, and in a model file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import keras
import numpy as np

_PREFIX = "optimizer/"


def kind_of(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """Return an optimizer's class and config as JSON values, without its rate.

    Of two optimizers of one kind the one can take the other's variables, whatever
    their learning rates.
    """
    config = optimizer.get_config()
    for name in ("name", "learning_rate"):
        config.pop(name, None)
    return {"class_name": type(optimizer).__name__, "config": config}


@dataclass(frozen=True)
class OptimizerState:
    """The kind of an optimizer and the values of its variables.

    Attributes
    ----------
    kind : dict
        As :func:`kind_of` describes it; empty where no optimizer is kept.
    arrays : mapping of str to numpy.ndarray
        By their names in a model file.
    """

    kind: dict[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, optimizer: keras.optimizers.Optimizer) -> Self:
        """Return the state of an optimizer."""
        arrays = {
            f"{_PREFIX}{i}": keras.ops.convert_to_numpy(variable)
            for i, variable in enumerate(optimizer.variables)
        }
        return cls(kind_of(optimizer), arrays)

    @classmethod
    def read(
        cls, description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> Self:
        """Return the state that a model file holds."""
        own = {name: arrays[name] for name in arrays if name.startswith(_PREFIX)}
        return cls(description.get("optimizer", {}), own)

    def give_to(
        self, optimizer: keras.optimizers.Optimizer, variables: Sequence[Any]
    ) -> None:
        """Set the variables of a new optimizer of the same kind; leave another alone.

        Numbers of another precision are converted, as those of weights are.

        Parameters
        ----------
        optimizer : keras.optimizers.Optimizer
            A new one.
        variables : sequence of keras.Variable
            What it will move: the shapes of its own variables depend on theirs.
        """
        if kind_of(optimizer) != self.kind:
            return
        optimizer.build(variables)
        own = OptimizerState.of(optimizer).arrays
        for name, array in own.items():
            given = self.arrays.get(name, np.empty(0, "str"))
            if (given.shape, given.dtype.kind) != (array.shape, array.dtype.kind):
                return
        for i, variable in enumerate(optimizer.variables):
            if variable is not optimizer.learning_rate:
                variable.assign(self.arrays[f"{_PREFIX}{i}"])


class KeptOptimizer:
    """The optimizer of an estimator's last training, for one that continues it.

    Parameters
    ----------
    loaded : OptimizerState, optional
        What a model file holds of one, until there is an optimizer.

    Attributes
    ----------
    num_trainings : int
        How many trainings have begun that moved the kept optimizer.
    """

    def __init__(self, loaded: OptimizerState | None = None) -> None:
        self._loaded = loaded or OptimizerState()
        self._last: keras.optimizers.Optimizer | None = None
        self._variables: list[Any] = []
        self.num_trainings = 0

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the optimizer: what is copied or pickled has other variables."""
        nothing: dict[str, Any] = {"_last": None, "_variables": [], "num_trainings": 0}
        return {"_loaded": self._loaded, **nothing}

    def keep(
        self, optimizer: keras.optimizers.Optimizer, variables: Sequence[Any]
    ) -> None:
        """Keep an optimizer, and the variables that it moves."""
        self._last, self._variables = optimizer, list(variables)
        self.num_trainings += 1

    def continued(
        self,
        optimizer: keras.optimizers.Optimizer,
        variables: Sequence[Any],
        *,
        rate: Any,
    ) -> keras.optimizers.Optimizer:
        """Return the kept optimizer, or the new one where the kept one does not fit.

        It does not where it is of another kind or moves other variables. Where only a
        file's state is there, the new one takes that, if it fits.

        Parameters
        ----------
        optimizer : keras.optimizers.Optimizer
            A new one.
        variables : sequence of keras.Variable
            What it will move.
        rate : float or learning rate schedule, optional
            The learning rate that the kept one gets; its own when None.
        """
        last = self._last
        if last is None:
            self._loaded.give_to(optimizer, variables)
            return optimizer
        moved = set(map(id, self._variables))
        if kind_of(last) != kind_of(optimizer) or moved != set(map(id, variables)):
            return optimizer
        if rate is not None:
            last.learning_rate = rate
        return last

    @property
    def state(self) -> OptimizerState:
        """The state that a training would continue with."""
        return self._loaded if self._last is None else OptimizerState.of(self._last)
