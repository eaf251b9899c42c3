"""Contenders that are timed in turn, each in a process of its own.

The parent starts a contender, lets it warm up, and then starts the next. After that it
asks each in turn for one round, again and again, so that what slows the machine down
for a while slows all of them. A contender times its own rounds: what goes between the
processes is not measured. All get as many threads, and none a GPU.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing.connection import Connection
from typing import Any

_SECONDS_TO_END = 30


class Worker:
    """A contender's side: waits for the parent's word, and reports.

    Parameters
    ----------
    connection : Connection
        To the parent.
    started : float
        When the parent started the process, as ``time.time`` gives it.
    threads : int
        How many threads the contender may use.
    """

    def __init__(self, connection: Connection, started: float, threads: int) -> None:
        self.connection = connection
        self.started = started
        self.threads = threads
        self.facts: dict[str, Any] = {}
        self._round_start = 0.0
        self._baseline = 0.0
        self.first_seconds: float | None = None
        self._versions: dict[str, str] = {}

    def import_keras(self, *others: str) -> None:
        """Import TensorFlow, Keras and others, with the threads that were given."""
        import keras
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(self.threads)
        tf.config.threading.set_inter_op_parallelism_threads(self.threads)
        keras.utils.set_random_seed(0)
        self._imported("tensorflow", "keras", *others)

    def import_torch(self) -> None:
        """Import PyTorch, with the threads that were given."""
        import torch

        torch.set_num_threads(self.threads)
        torch.manual_seed(0)
        self._imported("torch")

    def _imported(self, *modules: str) -> None:
        """Import what is not yet, note the versions, and count memory from here on."""
        for module in modules:
            importlib.import_module(module)
            package = module.partition(".")[0]
            self._versions[package] = version(package)
        self.mark_baseline()

    def mark_baseline(self) -> None:
        """Count the growth of memory from here on."""
        self._baseline = _peak_mebibytes()

    def first(self) -> None:
        """Note that the first batch is done, or the first answer there; once."""
        if self.is_first():
            self.first_seconds = time.time() - self.started

    def is_first(self) -> bool:
        """Whether nothing was said to be done before."""
        return self.first_seconds is None

    def wait(self) -> bool:
        """Wait for the parent; start the clock for a round, or return False to end."""
        goes_on = self.connection.recv()
        self._round_start = time.perf_counter()
        return goes_on

    def report(self, seconds: float | None = None) -> None:
        """Send the seconds of the round; by default those since the clock started."""
        if seconds is None:
            seconds = time.perf_counter() - self._round_start
        self.connection.send(("round", seconds))

    def finish(self) -> None:
        """Send what is known at the end."""
        peak = _peak_mebibytes()
        end = {
            "first_seconds": self.first_seconds,
            "peak_mebibytes": peak,
            "growth_mebibytes": peak - self._baseline,
            "versions": self._versions,
            "facts": self.facts,
        }
        self.connection.send(("end", end))


def _peak_mebibytes() -> float:
    """Return the most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2 ** (20 if sys.platform == "darwin" else 10)  # bytes there, else KiB


Work = Callable[..., None]
"""Takes a worker and options; does rounds until ``worker.wait()`` is False."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Something to measure.

    Attributes
    ----------
    name : str
    work : callable
        A function of a module, which the new process imports by its name.
    options : dict
        The arguments of `work` after the worker.
    items : int
        How many pairs, sources or target tokens a round has.
    """

    name: str
    work: Work
    options: Mapping[str, Any]
    items: int


@dataclass(kw_only=True)
class Measured:
    """What was measured of a contender.

    Attributes
    ----------
    items : int
        How many pairs, sources or target tokens a round has.
    seconds : list of float
        Of each round, warm-up left out.
    first_seconds : float or None
        From the start of the process to the end of the first batch or answer.
    peak_mebibytes, growth_mebibytes : float
        The most memory held, and by how much that is more than after the imports.
    versions : dict of str to str
        Of the packages that the contender is made with.
    facts : dict
        What else the contender tells.
    """

    items: int
    seconds: list[float]
    first_seconds: float | None
    peak_mebibytes: float
    growth_mebibytes: float
    versions: dict[str, str]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """The median round, in seconds."""
        return statistics.median(self.seconds)

    @property
    def seconds_per_item(self) -> float:
        """The median round over its items."""
        return self.median / self.items

    def to_json(self) -> dict[str, Any]:
        """Return the figures, rounded to what they are good for."""
        first = self.first_seconds
        return {
            "median_seconds": _rounded(self.median),
            "spread_seconds": [_rounded(f(self.seconds)) for f in (min, max)],
            "rounds": len(self.seconds),
            "items": self.items,
            "microseconds_per_item": _rounded(self.seconds_per_item * 1e6),
            "first_seconds": None if first is None else _rounded(first),
            "peak_mebibytes": round(self.peak_mebibytes, 1),
            "growth_mebibytes": round(self.growth_mebibytes, 1),
        }


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


class _Process:
    """The parent's side of one contender."""

    def __init__(self, contender: Contender, threads: int) -> None:
        self.contender = contender
        self._connection, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(
            target=_run,
            args=(theirs, time.time(), threads, contender),
            daemon=True,  # ends with the parent, whatever ends that
        )
        self._process.start()
        theirs.close()  # so that its end is seen when the process is gone

    def round(self) -> float:
        """Return the seconds of one more round."""
        return self._ask(True, "round")

    def end(self) -> dict[str, Any]:
        """Let the contender end; return what it knows."""
        known = self._ask(False, "end")
        self._process.join(_SECONDS_TO_END)
        return known

    def kill(self) -> None:
        """End the process if it has not ended by itself."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._connection.close()

    def _ask(self, goes_on: bool, expected: str) -> Any:
        try:
            self._connection.send(goes_on)
            kind, answer = self._connection.recv()
        except (EOFError, OSError):
            self._process.join(_SECONDS_TO_END)
            kind, answer = "nothing", f"exit code {self._process.exitcode}"
        if kind != expected:
            raise RuntimeError(
                f"{self.contender.name!r} must answer with its {expected}; got {kind}: "
                f"{answer}"
            )
        return answer


def _run(
    connection: Connection, started: float, threads: int, contender: Contender
) -> None:
    """Do a contender's work in its new process; tell the parent what fails."""
    os.environ.update(
        CUDA_VISIBLE_DEVICES="-1",  # or one library might take a GPU, the other not
        KERAS_BACKEND="tensorflow",
        OMP_NUM_THREADS=str(threads),
        TF_CPP_MIN_LOG_LEVEL="3",
    )
    worker = Worker(connection, started, threads)
    try:
        contender.work(worker, **contender.options)
        worker.finish()
    except BaseException:
        connection.send(("a failure", traceback.format_exc()))
        raise SystemExit(1) from None


def measure(
    contenders: Sequence[Contender], *, rounds: int, warmup: int, threads: int
) -> dict[str, Measured]:
    """Return what was measured, by the contenders' names.

    Parameters
    ----------
    contenders : sequence of Contender
        Measured in turn: a round of each, then the next round of each. Where there are
        several, one that does not count comes before each round that does: some systems
        take back the memory of a process that has been waiting, which would slow the
        large ones.
    rounds : int
        How many rounds count.
    warmup : int
        How many rounds each contender does before; they are not counted.
    threads : int

    Raises
    ------
    RuntimeError
        When a contender fails; the message holds its traceback.
    """
    processes: list[_Process] = []
    try:
        for contender in contenders:
            _say(f"{contender.name}: starts")
            processes.append(_Process(contender, threads))
            for _ in range(warmup):
                processes[-1].round()
        seconds: list[list[float]] = [[] for _ in processes]
        for i in range(rounds):
            _say(f"round {i + 1} of {rounds}")
            for process, measured in zip(processes, seconds, strict=True):
                if len(processes) > 1:
                    process.round()
                measured.append(process.round())
        return {
            process.contender.name: Measured(
                items=process.contender.items, seconds=measured, **process.end()
            )
            for process, measured in zip(processes, seconds, strict=True)
        }
    finally:
        for process in processes:
            process.kill()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def make_parser(description: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """Return a parser of the arguments that all benchmarks have."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser


def ratios(
    measured: Mapping[str, Measured], wanted: Mapping[str, tuple[str, str]]
) -> dict[str, float]:
    """Return each ratio of two contenders' seconds an item, where both were measured.

    Parameters
    ----------
    measured : dict of str to Measured
    wanted : dict of str to pair of str
        By the ratio's name, the contender above the line and the one below it.
    """
    return {
        name: round(
            measured[above].seconds_per_item / measured[below].seconds_per_item, 3
        )
        for name, (above, below) in wanted.items()
        if above in measured and below in measured
    }


def print_report(
    figures: Mapping[str, Any],
    measured: Mapping[str, Measured],
    settings: argparse.Namespace,
) -> None:
    """Print a table of the contenders, the figures, and as the last line all as JSON.

    Parameters
    ----------
    figures : dict
        What the benchmark is run for, by name.
    measured : dict of str to Measured
    settings : argparse.Namespace
    """
    print("\n".join(_table(measured)), end="\n\n")
    for name, value in figures.items():
        print(f"{name:<36} {value}")
    versions: dict[str, str] = {"python": platform.python_version()}
    for one in measured.values():
        versions |= one.versions
    report = {
        **figures,
        "contenders": {name: one.to_json() for name, one in measured.items()},
        "versions": versions,
        "platform": f"{platform.system()} {platform.machine()}",
        "settings": vars(settings),
    }
    print(json.dumps(report))


def _table(measured: Mapping[str, Measured]) -> Iterable[str]:
    """Return the lines of a table, a contender each."""
    columns = ("median s", "min s", "max s", "µs an item")
    columns += ("first s", "peak MiB", "growth MiB")
    rows = [("contender", *columns)]
    for name, one in measured.items():
        figures = (one.median, min(one.seconds), max(one.seconds))
        figures += (one.seconds_per_item * 1e6, one.first_seconds)
        memory = (one.peak_mebibytes, one.growth_mebibytes)
        rows.append((name, *map(_cell, figures), *(f"{m:,.0f}" for m in memory)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        padded = zip(cells, widths[1:], strict=True)
        yield "  ".join([name.ljust(widths[0]), *(c.rjust(w) for c, w in padded)])


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}"
