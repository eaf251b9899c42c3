"""Many sources through one generator: sorted by length, batched, in order again."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np

from kseq2seq import _tensorflow
from kseq2seq.arguments import check_batch_size, shown
from kseq2seq.ragged import RaggedIds
from kseq2seq.search import SamplingSearch

BATCH_SIZE = 512
SOURCES_WORTH_COMPILING = 50_000
"""This many sources repay the seconds that XLA takes to compile the search."""
WIDTH_STEP = 8
"""A compiled search sees widths that are multiples of this, so few shapes."""
CALLS_WORTH_COMPILING = 100
"""After this many single sources the search is compiled for one, in the background."""
MOST_WIDTHS = 16
"""For sources of this many widths it is compiled at most, some MB each."""
LONG_RUN = 20
"""This many batches are worth a progress bar."""
_ANSWER_ONE = "answer_one"
"""The attribute of a generator that answers single sources."""
_DRAWING = threading.Lock()
"""Held while answers are drawn."""
_MAKING = threading.Lock()
"""Held while a generator gets what answers single sources."""


class Rows(Protocol):
    """What a model reads, one a row."""

    @property
    def lengths(self) -> np.ndarray:
        """How long each row is."""

    def batch(self, rows: np.ndarray, size: int | None) -> np.ndarray:
        """Return rows as an array; of few shapes, where a number of rows is given."""


class Side(NamedTuple):
    """Sequences of ids that a model reads, one a row.

    Attributes
    ----------
    sequences : RaggedIds
    closed : bool
        Whether END follows the ids of each.
    """

    sequences: RaggedIds
    closed: bool = True

    @property
    def lengths(self) -> np.ndarray:
        """How many ids each row has, at least 1: no batch is of no width."""
        return np.maximum(self.sequences.lengths + self.closed, 1)

    def batch(self, rows: np.ndarray, size: int | None) -> np.ndarray:
        """Return rows as an array; of few shapes, where a number of rows is given."""
        width = int(self.lengths[rows].max())
        if size is not None:
            rows = filled(rows, size)
            width = -(-width // WIDTH_STEP) * WIDTH_STEP
        return self.sequences.padded(rows, width, closed=self.closed)


def filled(rows: np.ndarray, size: int | None) -> np.ndarray:
    """Return rows, filled up with the first to a number of rows, if one is given."""
    if size is None:
        return rows
    return np.concatenate([rows, np.repeat(rows[:1], size - len(rows))])


def generate(
    generator: keras.Model,
    sources: Sequence[Sequence[int]],
    *,
    prefixes: Sequence[Sequence[int]] | None = None,
    batch_size: int = BATCH_SIZE,
    compiles: bool | None = None,
    verbose: bool = False,
) -> dict[str, np.ndarray]:
    """Answer id sequences of any length, sorted by length for the work, in their order.

    Parameters
    ----------
    generator : keras.Model
        From :func:`kseq2seq.build_generator`.
    sources : sequence of sequences of int
        The ids of each source, without END.
    prefixes : sequence of sequences of int, optional
        What each answer starts with, for a generator with `prefix_input`.
    batch_size : int, default 512
        How many sources are answered side by side.
    compiles : bool, optional
        Whether XLA compiles the search, which takes some seconds for each width; where
        there are 50,000 sources or more when None.
    verbose : bool, default False
        Whether a progress bar is shown, if there are 20 batches or more.

    Returns
    -------
    dict of numpy.ndarray
        As the generator gives, one row a source; ``attention_weights`` as wide as the
        longest source with its END, and 0 beyond the end of each.

    Raises
    ------
    ValueError, TypeError
        When these are no generator and no sources.
    RuntimeError
        In a process that was forked after TensorFlow had run in its parent.
    """
    if not isinstance(generator, keras.Model) or not isinstance(generator.output, dict):
        raise TypeError(
            f"generator must be what build_generator returned; got {shown(generator)}."
        )
    _tensorflow.check_can_run()
    check_batch_size(batch_size)
    sources = RaggedIds.of(sources)
    if not len(sources):
        raise ValueError("there are no sources; expected one at least.")
    sides: list[Rows] = [Side(sources)]
    if prefixes is not None:
        sides.append(Side(RaggedIds.of(prefixes), closed=False))
    elif len(sources) == 1 and compiles is None and _tensorflow.is_alone_on_cpu():
        return _answer_one(generator, sources)
    runs = run_in_batches(
        generator, sides, batch_size=batch_size, compiles=compiles, verbose=verbose
    )
    groups, parts = zip(*runs, strict=True)
    widest = int(sources.lengths.max()) + 1
    inverse = np.argsort(np.concatenate(groups))
    return {
        name: _join([part[name] for part in parts], widest)[inverse]
        for name in parts[0]
    }


def run_in_batches(
    model: keras.Model,
    sides: Sequence[Rows],
    *,
    batch_size: int = BATCH_SIZE,
    compiles: bool | None = None,
    verbose: bool = False,
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Yield the numbers of the rows of each batch, and what a model makes of them.

    The rows are sorted by their length, that of all sides together. Arguments as for
    :func:`generate`.
    """
    lengths = np.sum([side.lengths for side in sides], axis=0)
    if compiles is None:
        compiles = len(lengths) >= SOURCES_WORTH_COMPILING
    compiles = compiles and _tensorflow.may_compile()
    _prepare(model, compiles=compiles)
    order = np.argsort(lengths, kind="stable")
    groups = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    batches = (
        _inputs(sides, rows, _num_rows(len(rows), batch_size, compiles=compiles))
        for rows in groups
    )
    shows = verbose and len(groups) >= LONG_RUN
    bar = keras.utils.Progbar(len(order), unit_name="source", verbose=int(shows))
    mapper = _mapper(model, compiles=compiles)
    with mapper as answer_all, _tensorflow.without_retracing_warnings():
        for rows, answers in zip(groups, answer_all(batches), strict=True):
            bar.add(len(rows))
            yield rows, {name: array[: len(rows)] for name, array in answers.items()}


def _inputs(sides: Sequence[Rows], rows: np.ndarray, size: int | None) -> Any:
    """Return what a model of one input or several is called with."""
    arrays = [side.batch(rows, size) for side in sides]
    return arrays[0] if len(arrays) == 1 else arrays


def _answer_one(generator: keras.Model, source: RaggedIds) -> dict[str, np.ndarray]:
    """Answer a single source without delay."""
    with _MAKING:
        answer_one = getattr(generator, _ANSWER_ONE, None) or OneByOne(generator)
        setattr(generator, _ANSWER_ONE, answer_one)  # it goes when the generator goes
    width = len(source.ids) + 1
    answers = answer_one(Side(source).batch(np.arange(1), 1))
    return {
        name: array[..., :width] if name == "attention_weights" else array
        for name, array in answers.items()
    }


class OneByOne:
    """Answers one source at a time: from the first call on, and later faster.

    A search that is not compiled answers at once. When it has been called often for
    sources of a width, a thread compiles it for these, while the others are answered;
    for the first widths that are called so often, and no more. One that draws is not
    compiled, as XLA makes other numbers of a seed.

    Parameters
    ----------
    generator : keras.Model
    """

    def __init__(self, generator: keras.Model) -> None:
        self._plain, self._compiled = (
            _tensorflow.predict_function(generator, jit_compile=compiles)
            for compiles in (False, True)
        )
        self._draws = bool(sampling_layers(generator))
        self._calls: Counter[int] = Counter()
        self._ready: set[int] = set()
        self._lock = threading.Lock()
        self.threads: list[threading.Thread] = []

    def __call__(self, source_ids: np.ndarray) -> dict[str, np.ndarray]:
        """Answer ``source_ids (1, source_len)``."""
        width = source_ids.shape[1]
        self._count(width, source_ids)
        function = self._compiled if width in self._ready else self._plain
        with _tensorflow.without_retracing_warnings():
            answers = function([(source_ids,)])
        return {name: tensor.numpy() for name, tensor in answers.items()}

    def _count(self, width: int, source_ids: np.ndarray) -> None:
        """Note a call of this width; start to compile when there were enough."""
        with self._lock:
            self._calls[width] += 1
            is_worth_it = self._calls[width] == CALLS_WORTH_COMPILING
            is_left = len(self.threads) < MOST_WIDTHS and not self._draws
            if is_worth_it and is_left and _tensorflow.may_compile():
                thread = threading.Thread(target=self._compile, args=(source_ids,))
                self.threads.append(thread)
                thread.start()

    def _compile(self, source_ids: np.ndarray) -> None:
        self._compiled([(source_ids,)])
        self._ready.add(source_ids.shape[1])


def generate_seeded(
    generator: keras.Model,
    sources: Sequence[Sequence[int]],
    *,
    prefixes: Sequence[Sequence[int]] | None = None,
    compiles: bool | None = None,
    restarts: bool = False,
    verbose: bool = False,
) -> dict[str, np.ndarray]:
    """Do as :func:`generate`; a search that draws may start from its seed again.

    Threads that draw wait for each other, so that they do not share a seed's numbers.
    """
    answer = partial(
        generate,
        generator,
        sources,
        prefixes=prefixes,
        compiles=compiles,
        verbose=verbose,
    )
    layers = sampling_layers(generator)
    if not layers:
        return answer()
    with _DRAWING:
        for layer in layers if restarts else ():
            layer.reset()
        return answer()


def sampling_layers(generator: keras.Model) -> list[SamplingSearch]:
    """Return the layers of a generator that draw ids at random."""
    return [layer for layer in generator.layers if isinstance(layer, SamplingSearch)]


@contextmanager
def _mapper(
    generator: keras.Model, *, compiles: bool
) -> Iterator[Callable[[Iterable[Any]], Iterator[dict[str, np.ndarray]]]]:
    """Return a ``map`` over batches: in turn, or in a thread for each core.

    Threads pay where XLA has compiled the search: it keeps one core busy, as its
    matrices are small. A search that draws answers in turn, as its random numbers
    follow the order of the batches.
    """
    if sampling_layers(generator) or not compiles or not _tensorflow.is_alone_on_cpu():
        yield lambda batches: map(generator.predict_on_batch, batches)
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield lambda batches: pool.map(generator.predict_on_batch, batches)


def _num_rows(num_sources: int, batch_size: int, *, compiles: bool) -> int | None:
    """Return to how many rows a batch is filled up, so that few shapes are compiled.

    None is for as it is. JAX compiles every search.
    """
    if compiles:
        return batch_size
    if keras.backend.backend() == "jax":
        return min(1 << (num_sources - 1).bit_length(), batch_size)
    return None


def _prepare(generator: keras.Model, *, compiles: bool) -> None:
    """Make the generator's function, compiled or not, unless it is there.

    Keras's own would be traced again for every new width.
    """
    if keras.backend.backend() != "tensorflow":
        return
    if generator.predict_function is None or generator.jit_compile != compiles:
        generator.jit_compile = compiles
        generator.predict_function = _tensorflow.predict_function(
            generator, jit_compile=compiles
        )


def _join(parts: list[np.ndarray], widest: int) -> np.ndarray:
    """Stack the rows of all parts; attention weights are made as wide as the widest."""
    if parts[0].dtype.kind != "f" or parts[0].ndim < 3:
        return np.concatenate(parts)
    shape = sum(map(len, parts)), *parts[0].shape[1:-1], widest
    joined = np.zeros(shape, parts[0].dtype)
    start = 0
    for part in parts:
        stop, width = start + len(part), min(part.shape[-1], widest)
        joined[start:stop, ..., :width] = part[..., :width]
        start = stop
    return joined
