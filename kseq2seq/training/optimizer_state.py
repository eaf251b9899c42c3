"""What an optimizer remembers, in a model file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import keras
import numpy as np

from kseq2seq.persistence import Artifact

_PREFIX = "optimizer/"


def kind_of(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """Return, as JSON values, what makes two optimizers alike at any learning rate."""
    config = optimizer.get_config()
    for name in ("name", "learning_rate"):
        config.pop(name, None)
    return {"class_name": type(optimizer).__name__, "config": config}


@dataclass(frozen=True)
class OptimizerState:
    """The kind of an optimizer and its variables; of none, if it is empty.

    Attributes
    ----------
    kind : dict
        As :func:`kind_of` describes it.
    arrays : mapping of str to numpy.ndarray
        By their names in a model file.
    """

    kind: dict[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, optimizer: keras.optimizers.Optimizer) -> Self:
        """Return an optimizer's."""
        arrays = {
            f"{_PREFIX}{i}": keras.ops.convert_to_numpy(variable)
            for i, variable in enumerate(optimizer.variables)
        }
        return cls(kind_of(optimizer), arrays)

    @classmethod
    def read(cls, artifact: Artifact) -> Self:
        """Return a model file's."""
        kind = artifact.description.get("optimizer", {})
        arrays = {n: a for n, a in artifact.arrays.items() if n.startswith(_PREFIX)}
        return cls(kind, arrays)

    def give_to(
        self, optimizer: keras.optimizers.Optimizer, variables: Sequence[Any]
    ) -> None:
        """Give it to a new optimizer of these variables, if it fits."""
        if kind_of(optimizer) != self.kind:
            return
        optimizer.build(variables)
        own = OptimizerState.of(optimizer).arrays
        for name, array in own.items():
            given = self.arrays.get(name, np.empty(0, "str"))
            if (given.shape, given.dtype) != (array.shape, array.dtype):
                return
        for i, variable in enumerate(optimizer.variables):
            if variable is not optimizer.learning_rate:
                variable.assign(self.arrays[f"{_PREFIX}{i}"])
