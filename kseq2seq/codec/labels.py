"""Labels of classes to their numbers and back."""

from __future__ import annotations

import numbers
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from kseq2seq.arguments import check_unmasked, has_order, place, shown, written
from kseq2seq.codec.sequences import has_axis, wide_integer

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
                f"{written(classes.tolist()[0])}."
            )
        return cls(name, classes)

    def encode(self, y: Any) -> np.ndarray:
        """Return the number of each label, all of which must be known."""
        labels = as_labels(self.name, y)
        known = set(self.classes.tolist())
        for i, label in enumerate(labels.tolist()):
            if label not in known:
                raise ValueError(
                    f"{self.name} has the label {written(label)} at "
                    f"{place(self.name, i, y)}, which is none of the known ones; "
                    f"expected one of {written(self.classes.tolist())}."
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
                    f"class_weight has the label {written(label)}, which is none of "
                    f"the classes {written(known)}."
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
    """Return the labels as a 1-D array of one kind: numbers, flags or strings.

    Raises
    ------
    ValueError, TypeError
        When they are not one label each; the message names the first that is wrong.
    """
    if not has_order(y) or hasattr(y, "columns"):
        raise TypeError(
            f"{name} must be a list, an array or a column of labels; got {shown(y)}."
        )
    check_unmasked(name, y)
    labels = list(y) if isinstance(y, Iterator | list | tuple) else np.asarray(y)
    if isinstance(labels, list) or labels.dtype.kind == "O":
        listed = list(labels)
        _check_labels(name, listed, y)
        labels = np.asarray(listed)  # of the type that they have
    if labels.ndim > 1 and labels.size != len(labels):
        raise TypeError(_several(name, 0, labels[0].tolist(), y))
    labels = column_or_1d(labels, warn=True)
    if not len(labels):
        raise ValueError(f"{name} is empty; expected a label for each sequence.")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        position = int(np.argmin(np.isfinite(labels)))
        raise ValueError(
            f"{name} must be finite; {place(name, position, y)} is {labels[position]}."
        )
    return labels


def _check_labels(name: str, labels: list[Any], y: Any) -> None:
    """Raise unless these are labels of one kind, none of them missing."""
    kinds = [_kind_of_label(label) for label in labels]
    for i, (label, kind) in enumerate(zip(labels, kinds, strict=True)):
        if kind == kinds[0] and kind is not None:
            continue
        if has_order(label) and has_axis(label):
            raise TypeError(_several(name, i, label, y))
        if kind is None and _is_missing(label):
            raise ValueError(
                f"{place(name, i, y)} is {label!r}, which is no label. Leave out what "
                "has none, or give it a class of its own."
            )
        first = (
            "" if kind is None else f"{place(name, 0, y)} is {shown(labels[0])} and "
        )
        raise TypeError(
            f"{name} must hold labels of one kind, numbers, flags or strings; "
            f"{first}{place(name, i, y)} is {shown(label)}."
        )
    wide = [label for label in labels if isinstance(label, int) and abs(label) >= 2**63]
    if wide:
        i = labels.index(wide[0])
        raise ValueError(f"{place(name, i, y)} is {wide_integer(wide[0])}")


def _several(name: str, i: int, label: Any, y: Any) -> str:
    """Return what is said where an example has several labels."""
    return (
        f"{name} must hold one label for each sequence; {place(name, i, y)} is "
        f"{shown(label)}. For several labels a sequence use scikit-learn's "
        "MultiOutputClassifier(SequenceClassifier()) with a column of 0 and 1 for each "
        "label, which MultiLabelBinarizer makes; for a label a token "
        "Seq2SeqEstimator."
    )


def _is_missing(label: Any) -> bool:
    """Whether this is None, NaN or pandas' NA."""
    return label is None or label != label or type(label).__name__ == "NAType"


def _kind_of_label(value: Any) -> str | None:
    if isinstance(value, bool | np.bool_):
        return "flags"
    if isinstance(value, str):
        return "strings"
    is_number = isinstance(value, numbers.Real) and value == value
    return "numbers" if is_number else None
