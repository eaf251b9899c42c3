"""Labels of classes to their numbers and back."""

from __future__ import annotations

import numbers
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from kseq2seq.arguments import has_order

_KINDS_OF_DTYPES = {
    "b": "flags",
    "U": "strings",
    **dict.fromkeys("iuf", "numbers"),
}
"""What labels are of, by the kind of their array; an array of objects has any."""
_LARGEST_LABELS = 2**26
"""Bytes."""


class LabelCodec:
    """The labels of a classifier, numbered from 0 in sorted order.

    Parameters
    ----------
    name : str
        What to call the labels in errors.
    classes : numpy.ndarray
        Sorted and distinct.
    """

    def __init__(self, name: str, classes: np.ndarray) -> None:
        self.name, self.classes = name, classes
        self._encoder = LabelEncoder()
        self._encoder.classes_ = classes

    @classmethod
    def learn(cls, name: str, y: Any) -> LabelCodec:
        """Return the codec of the labels in y, two at least."""
        labels = as_labels(name, y)
        check_classification_targets(labels)
        classes = LabelEncoder().fit(labels).classes_
        if len(classes) < 2:
            raise ValueError(
                f"{name} must hold two classes at least; got only "
                f"{classes.tolist()[0]!r}."
            )
        return cls(name, classes)

    def encode(self, y: Any) -> np.ndarray:
        """Return the number of each label, all of which must be known."""
        labels = as_labels(self.name, y)
        known = set(self.classes.tolist())
        unseen = [label for label in labels.tolist() if label not in known]
        if unseen:
            raise ValueError(
                f"{self.name} has the label {unseen[0]!r}, which is none of "
                f"the known ones; expected one of {self.classes.tolist()!r:.60}."
            )
        return self._encoder.transform(labels)

    def decode(self, class_numbers: np.ndarray) -> np.ndarray:
        """Return the label of each number."""
        return self.classes[class_numbers]

    def class_weights(
        self,
        class_weight: str | Mapping[Any, float],
        numbers: np.ndarray,
        sample_weight: np.ndarray,
    ) -> np.ndarray:
        """Return how much an example of each class counts.

        Parameters
        ----------
        class_weight : "balanced" or mapping of label to float
            Balanced: ``sum(weights) / (n_classes * sum(weights of the class))``, so
            that all classes that there are count the same together. A label that a
            mapping does not have has the weight 1.
        numbers : array of int ``(n,)``
            The class numbers of all examples.
        sample_weight : array of float ``(n,)``

        Raises
        ------
        ValueError
            When the mapping has a label that no example ever had.
        """
        weights = np.ones(len(self.classes), np.float32)
        if isinstance(class_weight, str):
            sums = np.bincount(numbers, sample_weight, minlength=len(weights))
            there = sums > 0
            weights[there] = sums.sum() / (there.sum() * sums[there])
            return weights
        known = self.classes.tolist()
        for label, weight in class_weight.items():
            if isinstance(label, np.generic):
                label = label.item()
            if label not in known:
                raise ValueError(
                    f"class_weight has the label {label!r}, which is none of the "
                    f"classes {known!r:.60}."
                )
            weights[known.index(label)] = weight
        return weights

    @property
    def num_ids(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    def to_json(self) -> dict[str, Any]:
        """Return the classes as JSON values."""
        dtype = self.classes.dtype.str
        return {"classes": self.classes.tolist(), "classes_dtype": dtype}

    @classmethod
    def from_json(cls, name: str, value: Mapping[str, Any]) -> LabelCodec:
        """Return the codec that :meth:`to_json` described.

        Raises
        ------
        ValueError
            When it is none of what that returns.
        """
        labels, dtype = value["classes"], value["classes_dtype"]
        kinds = {_kind_of_label(label) for label in labels}
        named = re.fullmatch(r"[<>|=]([biufUO])(\d{0,6})", dtype)
        fits = named and kinds == {_KINDS_OF_DTYPES.get(named[1], *kinds)}
        if not fits or len(labels) < 2 or len(set(labels)) < len(labels):
            raise ValueError(f"no classes are {labels!r:.60} of type {dtype!r:.20}")
        size = np.dtype(dtype).itemsize * len(labels)
        if size > _LARGEST_LABELS:
            raise ValueError(
                f"{len(labels):,} classes of type {dtype!r} are {size:,} B"
            )
        try:
            classes = np.array(labels, dtype=dtype)
        except OverflowError as error:
            raise ValueError(f"a class is too large for type {dtype!r}") from error
        if classes.tolist() != labels or classes.tolist() != sorted(labels):
            raise ValueError(f"classes are not sorted values of type {dtype!r}")
        return cls(name, classes)


def as_labels(name: str, y: Any) -> np.ndarray:
    """Return the labels as a 1-D array of one kind: numbers, flags or strings."""
    if not has_order(y):
        raise TypeError(f"{name} must be a list or an array of labels; got {y!r:.60}.")
    values = list(y) if isinstance(y, Iterator) else y
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    if isinstance(values, list | tuple) or kind == "O":
        values = list(values)
        _check_one_kind(name, values)
    labels = column_or_1d(np.asarray(values), warn=True)
    if not len(labels):
        raise ValueError(f"{name} is empty; expected a label for each sequence.")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        position = int(np.argmin(np.isfinite(labels)))
        raise ValueError(f"{name} must be finite; {name}[{position}] is not.")
    return labels


def _check_one_kind(name: str, values: Sequence[Any]) -> None:
    kinds = {_kind_of_label(value) for value in values}
    wrong = next((v for v in values if _kind_of_label(v) is None), None)
    if None in kinds or len(kinds) > 1:
        shown = wrong if None in kinds else sorted(map(str, kinds))
        raise TypeError(
            f"{name} must hold labels of one kind, numbers, flags or strings; got "
            f"{shown!r:.60}."
        )


def _kind_of_label(value: Any) -> str | None:
    if isinstance(value, bool | np.bool_):
        return "flags"
    if isinstance(value, str):
        return "strings"
    return "numbers" if isinstance(value, numbers.Real) else None
