"""Where an interrupt has ended a fit, for one that goes on with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kseq2seq.estimators.examples import Task
from kseq2seq.training import TrainingState


@dataclass(frozen=True)
class Interruption:
    """What going on with an interrupted fit takes beside models and optimizer.

    Attributes
    ----------
    began : dict
        The state of the random generator with which the fit began, so that the same
        part is held back again.
    data : str
        The digest of the fit's task.
    state : TrainingState
    """

    began: dict[str, Any]
    data: str
    state: TrainingState

    def is_of(self, task: Task, epochs: int) -> bool:
        """Return whether this many epochs of a task would finish what was broken off.

        Otherwise they are a training of its own: on other data, or after all epochs.
        """
        return self.state.epochs_of(epochs) < epochs and self.data == task.digest()
