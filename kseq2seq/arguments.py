"""Checks of arguments, with errors that name the value received and the repair."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein


def quoted_choices(choices: Iterable[Any]) -> str:
    """Return the choices as prose: ``'rnn', 'gru' or 'lstm'``."""
    *others, last = [repr(choice) for choice in choices]
    return f"{', '.join(others)} or {last}" if others else last


def nearest(value: Any, choices: Iterable[str]) -> str:
    """Return ``" Did you mean 'lstm'?"``, or nothing when no choice is near."""
    found = process.extractOne(
        (value if isinstance(value, str) else written(value)).lower(),
        list(choices),
        scorer=DamerauLevenshtein.normalized_similarity,
        score_cutoff=0.5,
    )
    return f" Did you mean {found[0]!r}?" if found else ""


def written(value: Any, limit: int = 60) -> str:
    """Return a value as an error writes it: its ``repr``, cut short.

    Examples
    --------
    >>> from kseq2seq.arguments import written
    >>> written(["a"] * 9, limit=12), written(10**5000)
    ("['a', 'a'...", 'an integer of 5,001 digits')
    """
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        if not isinstance(value, int):
            return f"a {type(value).__name__} of values too long to write"
        return f"an integer of {1 + int(math.log10(abs(value))):,} digits"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def shown(value: Any) -> str:
    """Return the value for an error: short, with its type where that tells more."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return repr(value)
    return f"{written(value)} ({type(value).__name__})"


def place(name: str, i: int, values: Any = None) -> str:
    """Return how an error names the item at a position: ``X[3]``.

    Of a pandas object, which ``values`` may be, its row is named by the index, too.
    """
    if not hasattr(values, "iloc"):
        return f"{name}[{i}]"
    label = values.index[i]
    label = label.item() if isinstance(label, np.generic) else label
    return f"{name}[{i}] (index {written(label)})"


def check_unmasked(name: str, values: Any) -> None:
    """Raise where an item of a masked array is masked, which has no meaning here."""
    if not isinstance(values, np.ma.MaskedArray) or values.dtype.names:
        return
    masked = np.argwhere(np.ma.getmaskarray(values))
    if len(masked):
        position = ", ".join(map(str, masked[0]))
        raise ValueError(
            f"{f'{name}[{position}]' if position else name} is masked, and masks say "
            f"nothing here. Pass {name}.filled(value) with a value that means what you "
            "mean, or leave the masked items out: lists may be of different lengths."
        )


def check_numbers(name: str, values: Any, *, allows_nan: bool = False) -> None:
    """Raise unless an array of NumPy's holds finite numbers; name the place if not.

    Other arrays, and whatever is no array, are let through; so is NaN, if it is
    allowed.
    """
    if not isinstance(values, np.ndarray):
        return
    check_unmasked(name, values)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold numbers; got values of type {values.dtype}.")
    finite = ~np.isinf(values) if allows_nan else np.isfinite(values)
    if not finite.all():
        position = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(
            f"{name} must be finite; {name}[{', '.join(map(str, position))}] is "
            f"{values[position]}. Leave such rows out, or fill in what is missing."
        )


def check_ids(name: str, values: Any, size: int, repair: str) -> None:
    """Raise unless an array of NumPy's holds ids below a size; name the place if not.

    Other arrays, and whatever is no array, are let through.
    """
    if not isinstance(values, np.ndarray):
        return
    inside = (values >= 0) & (values < size) & (values == np.floor(values))
    if not inside.all():
        position = tuple(int(i) for i in np.argwhere(~inside)[0])
        raise ValueError(
            f"{name} must be whole numbers from 0 to {size - 1}; "
            f"{name}[{', '.join(map(str, position))}] is {values[position]}. {repair}"
        )


def check_array(name: str, values: Any, expected: str = "an array") -> None:
    """Raise for rows in lists, which Keras takes for a structure of single numbers."""
    is_list = isinstance(values, list | tuple)
    if is_list and not (len(values) == 1 and hasattr(values[0], "shape")):
        raise TypeError(
            f"{name} must be {expected}; got a {type(values).__name__}. Pass "
            f"numpy.array({name}); of rows of ids that differ in length "
            "kseq2seq.batching.close_and_pad(rows) makes one."
        )


def has_order(values: Any) -> bool:
    """Whether these are values one after the other.

    Texts, sets, mappings and sparse matrices are not.
    """
    unordered = isinstance(values, str | bytes | Set | Mapping)
    return isinstance(values, Iterable) and not (unordered or is_sparse(values))


def is_sparse(values: Any) -> bool:
    """Whether this is a sparse matrix or array of SciPy's."""
    return hasattr(values, "tocsr")


def is_pair(value: Any) -> bool:
    """Whether a value is a tuple or a list of two."""
    return isinstance(value, tuple | list) and len(value) == 2


def _short(number: Any) -> str:
    text = written(number, limit=5000)
    return text if len(text) <= 30 else f"{text[:27]}... ({len(text)} characters)"


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> Any:
    """Return value, or raise, with the nearest right name, unless it is a choice."""
    choices = tuple(choices)
    if any(value is choice for choice in choices):
        return value
    if isinstance(value, str) and value in choices:
        return value
    hint = nearest(value, [choice for choice in choices if isinstance(choice, str)])
    raise ValueError(
        f"{name} must be {quoted_choices(choices)}; got {written(value)}.{hint}"
    )


LARGEST_BATCH = 1_000_000
"""No batch is larger: it is filled up to its size, and would fill the memory."""


LARGEST_SIZE = 10**8
"""There are no more examples, tokens or units of a layer than this."""


_MOST_BITS = 10_000
"""Of a whole number: Python neither writes nor reads one of more than 4,300 digits."""


LARGEST_WEIGHT = 1e20
"""No weight of a pair is larger, so that the sum over a batch stays a number."""


FLAT = 1e-6
"""A standard deviation of this share of the mean, or less, is noise of arithmetic."""


def check_batch_size(value: Any) -> int:
    """Return the size of a batch, or raise."""
    return check_whole("batch_size", value, maximum=LARGEST_BATCH)


def check_size(name: str, value: Any, *, minimum: int = 1) -> int:
    """Return how many there are of something, or how wide it is, or raise."""
    size = check_whole(name, value, minimum=minimum)
    if size > LARGEST_SIZE:
        raise ValueError(
            f"{name} must be at most {LARGEST_SIZE:,}; got {_short(value)}."
        )
    return size


def check_whole(
    name: str, value: Any, *, minimum: int = 1, maximum: int | None = None
) -> int:
    """Return value as ``int``, or raise unless it is whole and within the bounds."""
    expected = f"a whole number of at least {minimum}"
    if maximum is not None:
        expected = f"a whole number from {minimum} to {maximum}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(
            f"{name} must be {expected}; got {written(value)} ({type(value).__name__})."
        )
    number = int(value)
    if number < minimum or (maximum is not None and number > maximum):
        raise ValueError(f"{name} must be {expected}; got {_short(value)}.")
    if number.bit_length() > _MOST_BITS:
        raise ValueError(f"{name} is too large for a file; got {_short(value)}.")
    return number


def check_real(
    name: str,
    value: Any,
    *,
    minimum: float = 0.0,
    maximum: float = math.inf,
    exclusive: bool = False,
) -> float:
    """Return value as ``float``, or raise unless it lies between the bounds.

    ``exclusive`` takes both bounds out of the range.
    """
    relation = "above" if exclusive else "of at least"
    expected = f"a number {relation} {minimum:g}"
    if maximum != math.inf:
        expected += f" and {'below' if exclusive else 'at most'} {maximum:g}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(
            f"{name} must be {expected}; got {written(value)} ({type(value).__name__})."
        )
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        number = math.inf
    inside = minimum < number < maximum if exclusive else minimum <= number <= maximum
    if not inside or not math.isfinite(number):
        raise ValueError(f"{name} must be {expected}; got {_short(value)}.")
    return number


def check_rate(name: str, value: Any) -> float:
    """Return a dropout rate or a share: 0 or more, and below 1."""
    rate = check_real(name, value, maximum=1.0)
    if rate == 1.0:
        raise ValueError(
            f"{name} must be at least 0 and below 1; got {written(value)}."
        )
    return rate


def check_flag(name: str, value: Any) -> bool:
    """Return value as ``bool``, or raise unless it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; got {written(value)}.")
    return bool(value)


def make_rng(
    random_state: int | np.random.Generator | np.random.RandomState | None,
) -> np.random.Generator:
    """Return a generator of its own for a seed; the global state is never touched.

    None draws fresh entropy from the operating system.
    """
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31))
    if random_state is None or isinstance(random_state, np.random.Generator):
        return np.random.default_rng(random_state)
    return np.random.default_rng(check_whole("random_state", random_state, minimum=0))


def check_lengths(num_sources: int, num_targets: int) -> None:
    """Raise unless there are as many targets as sources."""
    if num_sources != num_targets:
        raise ValueError(
            "X and y must be as long, one answer for each source; got "
            f"{num_sources} in X and {num_targets} in y."
        )


def check_sample_weight(
    sample_weight: Sequence[float] | np.ndarray | None, num_pairs: int
) -> np.ndarray:
    """Return a weight for each pair, 1 where none are given."""
    if sample_weight is None:
        return np.ones(num_pairs, dtype=np.float32)
    check_unmasked("sample_weight", sample_weight)
    try:
        given = np.asarray(sample_weight)
        if given.dtype.kind not in "biufO":
            raise TypeError(given.dtype)  # NumPy would convert texts and times
        with np.errstate(over="ignore"):
            weights = given.astype(np.float32)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            "sample_weight must be numbers, one for each pair; got "
            f"{written(sample_weight)}."
        ) from None
    if weights.shape != (num_pairs,):
        raise ValueError(
            f"sample_weight must be of shape ({num_pairs},), a weight for each pair; "
            f"got {weights.shape}."
        )
    inside = (weights >= 0) & (weights <= LARGEST_WEIGHT)  # NaN is not
    if not (inside.all() and weights.any()):
        raise ValueError(
            f"sample_weight must be from 0 to {LARGEST_WEIGHT:g}, and above zero for "
            f"some pair; got {weights.min()} to {weights.max()}."
        )
    return weights
