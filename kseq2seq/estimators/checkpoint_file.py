"""A model file that a fit writes after each epoch, and resumes from."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kseq2seq import persistence
from kseq2seq.codec import SequenceCodec
from kseq2seq.descriptions import check_description, check_training
from kseq2seq.estimators.examples import Task
from kseq2seq.persistence import Artifact
from kseq2seq.training import TrainingState

_TRAINING = "training"


@dataclass(frozen=True)
class Progress:
    """How far the training of a checkpoint is.

    Attributes
    ----------
    epochs : int
    ended : bool
        Whether nothing is left to train, unless it gets more epochs.
    stopped : bool
        Whether nothing is left whatever the number of epochs.
    """

    epochs: int = 0
    ended: bool = False
    stopped: bool = False

    @classmethod
    def of(cls, path: Path | None) -> Progress:
        """Return that of a checkpoint's file, none where there is no file."""
        if path is None or not path.exists():
            return cls()
        state = _state(path, persistence.read_description(path))
        return cls(state["epochs"], state["ended"], state["stopped"])

    def is_all_of(self, epochs: int | None) -> bool:
        """Return whether a fit of this many epochs has nothing left to train."""
        grown = epochs is not None and epochs > self.epochs
        return self.stopped or (self.ended and not grown)


class Checkpoint:
    """The file of one fit, written after each epoch; read if it is there already.

    It is a model file, which :func:`kseq2seq.load` opens as any other, with the state
    of the training beside the model.

    Parameters
    ----------
    path : pathlib.Path
        Where a file can be written, held by a lock.
    rng : numpy.random.Generator
        That of the fit, from which nothing was drawn yet. Where there is a file, it is
        set to the state with which the fit that wrote the file began.

    Raises
    ------
    OSError
        When the file cannot be read.
    ValueError
        When there is a file, and it is no checkpoint.
    """

    def __init__(self, path: Path, rng: np.random.Generator) -> None:
        self.path = path
        self.artifact: Artifact | None = None
        if self.path.exists():
            self.artifact = persistence.read_artifact(self.path)
            rng.bit_generator.state = self._kept(self.artifact)["began"]
        self._began = dict(rng.bit_generator.state)
        self._data = ""
        self._objective: list[str] = []
        self._precision = ""

    def _kept(self, artifact: Artifact) -> dict[str, Any]:
        """Return what the file holds beside the model."""
        training = _training_of(self.path, artifact.description)
        if training is None:
            raise ValueError(
                f"{self.path} is a model file, and no checkpoint to resume from: "
                "choose another path for the checkpoint."
            )
        return training

    @property
    def codecs(self) -> tuple[SequenceCodec | None, SequenceCodec | None]:
        """The codecs of both sides, None where a fit begins, or a side has none.

        Learning them again need not give the same: training subwords does not.
        """
        described = {} if self.artifact is None else self.artifact.description
        source, target = (
            SequenceCodec.from_json(name, described[side])
            if side in described
            else None
            for side, name in (("source", "X"), ("target", "y"))
        )
        return source, target

    def check_parameters(
        self,
        parameters: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        *,
        free: Container[str] = (),
    ) -> None:
        """Raise unless these, as JSON values and arrays, are those of the file.

        But for those named in `free`, which training does not depend on.
        """
        if self.artifact is None:
            return
        before = self.artifact.description["parameters"]
        changed = [
            f"{name} was {before.get(name)!r} and is {value!r}"
            for name, value in parameters.items()
            if value != before.get(name)
            and name not in free
            and not (name == "epochs" and self._may_be(value))
        ]
        changed += [
            f"{name} has other values"
            for name, array in arrays.items()
            if not np.array_equal(array, self.artifact.arrays.get(name, np.empty(0)))
        ]
        if changed:
            raise ValueError(
                f"{self.path} was written by a fit with other parameters: "
                f"{'; '.join(changed)}. Set them back to resume from it (only epochs "
                "may grow), or choose another path to begin anew."
            )

    def _may_be(self, epochs: int | None) -> bool:
        """Return whether this many epochs are more than the file's fit was to do."""
        due: int = (
            _state(self.path, self.artifact.description)["of"] if self.artifact else 0
        )
        return epochs is not None and epochs > due

    def check_objective(self, loss: Any, metrics: Sequence[Any]) -> None:
        """Raise unless a loss and metrics of one's own are those of the file."""
        self._objective = [_described(one) for one in (loss, *metrics)]
        before = self._objective
        if self.artifact is not None:
            before = self._kept(self.artifact).get("objective", before)
        if before != self._objective:
            raise ValueError(
                f"{self.path} was written by a fit with another loss or other metrics: "
                f"{before} then, and {self._objective} now. Set them back to "
                "resume from it, or choose another path to begin anew."
            )

    def check_precision(self, policy: str) -> None:
        """Raise unless the models compute under the policy of Keras of the file's."""
        self._precision = before = policy
        if self.artifact is not None:
            before = self._kept(self.artifact).get("precision", policy)
        if before != policy:
            raise ValueError(
                f"{self.path} was written by a fit under Keras's dtype policy "
                f"{before!r}, and the policy is {policy!r}. Call "
                f"keras.config.set_dtype_policy({before!r}) to resume from it, or "
                "choose another path to begin anew."
            )

    def check_data(self, task: Task) -> None:
        """Raise unless the data, ids and what goes with them, are those of the file."""
        self._data = task.digest()
        if self.artifact and self._kept(self.artifact)["data"] != self._data:
            raise ValueError(
                f"{self.path} was written by a fit on other data (pairs, weights or "
                "validation pairs). Pass the same to resume from it, or choose another "
                "path to begin anew."
            )

    def remove_unfinished(self) -> None:
        """Remove what killed trainings left beside the file, once all is checked."""
        persistence.remove_unfinished(self.path)

    @property
    def state(self) -> TrainingState | None:
        """Where the training stands that is to be resumed."""
        if self.artifact is None:
            return None
        state = _state(self.path, self.artifact.description)
        return TrainingState(state, self.artifact.arrays)

    def save(self, model: Artifact, state: TrainingState) -> None:
        """Write the model and where its training stands."""
        kept = {
            "began": self._began,
            "data": self._data,
            "objective": self._objective,
            "precision": self._precision,
            "state": state.description,
        }
        persistence.write_artifact(
            self.path,
            Artifact(
                {**model.description, _TRAINING: kept},
                {**model.arrays, **state.arrays},
            ),
            overwrite=True,
        )


def member_checkpoints(
    path: str | Path | None, number: int | None
) -> list[Path | None]:
    """Return the checkpoints of so many members; None is for no ensemble.

    A member's number stands before the suffix.
    """
    if path is None:
        return [None] * (number or 1)
    path = Path(path)
    if number is None:
        return [path]
    return [path.with_suffix(f".{i}{path.suffix}") for i in range(1, number + 1)]


def _training_of(path: Path, description: dict[str, Any]) -> dict[str, Any] | None:
    """Return the state of the training in a model file, None where there is none.

    Raises
    ------
    ValueError
        When a value of the description is not of its type.
    """
    try:
        check_description(description)
        if _TRAINING not in description:
            return None
        check_training(description[_TRAINING])
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged: {error}. Choose another path for the checkpoint to "
            "begin anew."
        ) from error
    return dict(description[_TRAINING])


def _state(path: Path, description: dict[str, Any]) -> dict[str, Any]:
    """Return where the training of a checkpoint's file stands.

    The first checkpoints say neither of how many epochs they are nor whether they were
    stopped before these were done.
    """
    kept = (_training_of(path, description) or {}).get("state", {})
    state = {"epochs": 0, "ended": False, **kept}
    due = description.get("parameters", {}).get("epochs")
    stopped = state["ended"] and state["epochs"] != due
    return {"of": due or state["epochs"], "stopped": stopped, **state}


def _described(one: Any) -> str:
    """Return the class of a loss or a metric, with its config if it has one."""
    if isinstance(one, str):
        return one
    try:
        config = {} if one is None else dict(one.get_config())
    except NotImplementedError:
        config = {}
    config.pop("name", None)  # Keras counts: a second one is "loss_1"
    return f"{type(one).__qualname__}({config})"
