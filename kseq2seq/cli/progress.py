"""What a training shows as it goes: a line an epoch, and a live one on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import keras
import typer

from kseq2seq.cli.models import members_of
from kseq2seq.training import FreeRunningValidation, SampleAnswers
from kseq2seq.training.callbacks import AttachedCallback

SECONDS_A_LOOK = 0.2
"""The live line is written no more often than this."""
EPOCHS_A_SAMPLE = 3
TARGETS_COUNTED = 10_000
"""The mean length of this many targets stands for that of all."""
_SHOWN = {
    "loss": "loss {:.4f}",
    "val_loss": "val_loss {:.4f}",
    "val_bleu": "BLEU {:.2f}",
    "val_chrf": "chrF {:.2f}",
    "val_exact_match": "exact match {:.4f}",
    "val_token_accuracy": "token accuracy {:.4f}",
    "val_edit_distance": "edit distance {:.4f}",
    "val_token_error_rate": "token error rate {:.4f}",
}


@dataclass
class _Clock:
    """When a training and its epochs began.

    Attributes
    ----------
    start, epoch_start, looked : float
        Seconds: of the training's start, of the epoch's, and of the last live line.
    first_epoch, epoch : int
        The epoch that the training began with, and the one that it is in.
    done : float
        The share of the epoch's batches that were trained; 1 before the first.
    speed : str
        Of the epoch's training, once it is over.
    """

    start: float
    first_epoch: int
    epoch_start: float = 0.0
    epoch: int = 0
    looked: float = 0.0
    done: float = 1.0
    speed: str = ""


class LossLines(keras.callbacks.Callback):
    """Prints a line an epoch: what was measured, how fast, time left.

    The line of an epoch that was interrupted before its last batch says so.

    Attributes
    ----------
    epochs_trained : float
        In this run; of one that was interrupted the part that was trained.
    """

    is_remembered = False
    takes_runs = True

    def __init__(self) -> None:
        super().__init__()
        self.epochs_trained = 0.0
        self._clock: Any = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._clock = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        now = time.perf_counter()
        if self._clock is None:
            self._clock = _Clock(start=now, first_epoch=epoch)
        self._clock = replace(
            self._clock, epoch=epoch, epoch_start=now, looked=now, done=1.0, speed=""
        )

    def on_train_batch_end(
        self, batch: int, logs: dict[str, float] | None = None
    ) -> None:
        self._clock.done = (batch + 1) / (self.params["steps"] or batch + 1)

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self._clock.speed = self._speed()  # of training, not of validation

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs, speed = logs or {}, self._clock.speed or self._speed()
        measured = [how.format(logs[n]) for n, how in _SHOWN.items() if n in logs]
        left = self._left(epoch + 1)
        self.epochs_trained += self._clock.done
        if self._clock.done < 1:
            left = f"interrupted at {self._clock.done:.0%}"
        self._write(f"epoch {epoch + 1:3}", *measured, speed, left)

    def _write(self, *parts: str) -> None:
        typer.echo("  ".join(filter(None, parts)))

    def _speed(self) -> str:
        """Return how fast the epoch is, as far as it is done."""
        return ""

    def _left(self, epochs_done: float) -> str:
        """Return the time that the other epochs take, nothing after the last."""
        epochs = self.params["epochs"] - epochs_done
        an_epoch = time.perf_counter() - self._clock.start
        an_epoch /= epochs_done - self._clock.first_epoch
        return f"{_duration(epochs * an_epoch)} left" if epochs else ""


class EpochLines(LossLines, AttachedCallback):
    """Prints a line an epoch, with tokens a second.

    An attached callback knows how the estimator splits targets into tokens, and stands
    in the list after the one that measures answers and before the one that shows some.

    Parameters
    ----------
    targets : list of str
        The training pairs' targets.
    held_back : float
        The share of them that training leaves out.
    """

    def __init__(self, targets: list[str], held_back: float) -> None:
        super().__init__()
        self.targets, self.held_back = targets, held_back

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        super().on_train_begin(logs)
        sample = self._tokens(self.targets[:TARGETS_COUNTED])
        tokens_a_pair = 1 + sum(map(len, sample)) / len(sample)  # its end is a token
        self._num_tokens = tokens_a_pair * len(self.targets) * (1 - self.held_back)

    def _speed(self) -> str:
        seconds = time.perf_counter() - self._clock.epoch_start
        return f"{self._clock.done * self._num_tokens / seconds:,.0f} tokens/s"


class MemberLines(keras.callbacks.Callback):
    """Prints a line before each training of an ensemble.

    Parameters
    ----------
    number : int
        How many there will be.
    """

    is_remembered = False

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self._numbers = count(1)

    def __deepcopy__(self, memo: Any) -> MemberLines:
        """Return the same: one counts for all members, which have copies."""
        return self

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        typer.echo(f"model {next(self._numbers)} of {self.number}")


class LiveLine(EpochLines):
    """Shows on a terminal how far the epoch is, in a line that is written over."""

    def on_train_batch_end(
        self, batch: int, logs: dict[str, float] | None = None
    ) -> None:
        super().on_train_batch_end(batch, logs)
        now = time.perf_counter()
        if not logs or now - self._clock.looked < SECONDS_A_LOOK:
            return
        self._clock.looked, done = now, self._clock.done
        line = (
            f"epoch {self._clock.epoch + 1:3}  {done:4.0%}  loss {logs['loss']:.4f}  "
            f"{self._speed()}  {self._left(self._clock.epoch + done)}"
        )
        typer.echo(f"\r\x1b[K{line}", nl=False)

    def _write(self, *parts: str) -> None:
        typer.echo("\r\x1b[K", nl=False)
        super()._write(*parts)


def progress_callbacks(
    targets: list[str], *, held_back: float, metrics: Sequence[str] = ()
) -> list[keras.callbacks.Callback]:
    """Return what shows a training.

    Parameters
    ----------
    targets : list of str
        The training pairs' targets.
    held_back : float
        The share of them that training leaves out.
    metrics : sequence of str, default ()
        What to measure decoded validation pairs by; none where there are no such pairs.
    """
    kind = LiveLine if sys.stdout.isatty() else EpochLines
    lines = kind(targets, held_back)
    if not metrics:
        return [lines]
    samples = SampleAnswers(3, every=EPOCHS_A_SAMPLE)
    return [FreeRunningValidation(metrics), lines, samples]


def num_pairs_trained(estimator: Any) -> float:
    """Return how many pairs a fit that was shown has trained on, each every time."""
    shown = [one for member in members_of(estimator) for one in member.callbacks_]
    lines = [one for one in shown if isinstance(one, EpochLines)]
    return sum(
        one.epochs_trained * len(one.targets) * (1 - one.held_back) for one in lines
    )


def _duration(seconds: float) -> str:
    """Return a time in minutes, or what else tells enough."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
