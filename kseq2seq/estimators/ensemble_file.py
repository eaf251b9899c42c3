"""An ensemble in a model file: what its members share once, and each member's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kseq2seq.answering import Answerer
from kseq2seq.estimators.ensemble_members import Members
from kseq2seq.estimators.parameters_json import (
    parameters_from_json,
    parameters_to_json,
)
from kseq2seq.estimators.seq2seq_estimator import Seq2SeqEstimator
from kseq2seq.estimators.seq2seq_models import sides_from_json, sides_to_json
from kseq2seq.estimators.stored import (
    check_stored_arrays,
    described_estimator,
    fit_to_arrays,
)
from kseq2seq.persistence import Artifact, StoredArtifact

_SHARED = ("estimator", "source", "target")
"""What a description says once, and not of each member."""


def ensemble_artifact(
    template: Seq2SeqEstimator, members: Members, answerer: Answerer
) -> Artifact:
    """Return what a model file holds of members, and of the estimator they are made of.

    Of a member's parameters it holds those that are not the template's.
    """
    parameters, arrays = parameters_to_json(template._saved_parameters)
    described = []
    for i, member in enumerate(members):
        own = member._artifact()
        same = [
            name
            for name, value in own.description["parameters"].items()
            if name in parameters
            and value == parameters[name]
            and _same_array(f"parameters/{name}", own.arrays, arrays)
        ]
        about = {k: v for k, v in own.description.items() if k not in _SHARED}
        about["parameters"] = _without(about["parameters"], same)
        described.append(about)
        kept = _without(own.arrays, [f"parameters/{name}" for name in same])
        arrays |= {_of_member(i) + name: array for name, array in kept.items()}
    return Artifact(
        {
            "parameters": parameters,
            **sides_to_json(answerer.source, answerer.target),
            "num_weights": sum(about["num_weights"] for about in described),
            "history": {},
            "members": described,
        },
        arrays,
    )


def read_members(artifact: StoredArtifact) -> tuple[Seq2SeqEstimator, Members]:
    """Return the template and the fitted members that a model file holds.

    No member is built before the arrays of all are known to fit.
    """
    description, arrays = artifact.description, artifact.arrays
    for name in ("members", "ensemble", "source", "target"):
        if name not in description:
            raise ValueError(f"{name} is missing")
    shared = parameters_from_json(description["parameters"], arrays)
    template = described_estimator(Seq2SeqEstimator, shared, {})
    sides = sides_from_json(description)
    parts = [
        (about, arrays.part(_of_member(i)))
        for i, about in enumerate(description["members"])
    ]
    known = {f"parameters/{name}" for name in description["parameters"]}
    of_members = sum(len(part) for _, part in parts)
    if of_members + len(known & set(arrays)) != len(arrays):
        raise ValueError("it holds arrays of no member")
    members = []
    for about, part in parts:
        values = shared | parameters_from_json(about["parameters"], part)
        member = described_estimator(Seq2SeqEstimator, values, about["history"])
        member._read_limits(*sides, about)
        check_stored_arrays(member, about, part)
        members.append(member)
    for member, (about, part) in zip(members, parts, strict=True):
        fit_to_arrays(member, about, part)
    return template, members


def _of_member(i: int) -> str:
    return f"members/{i}/"


def _same_array(
    name: str, one: Mapping[str, np.ndarray], two: Mapping[str, np.ndarray]
) -> bool:
    """Whether an array is in both and the same, or in neither."""
    if name not in one or name not in two:
        return name not in one and name not in two
    return np.array_equal(one[name], two[name])


def _without(entries: Mapping[str, Any], left_out: list[str]) -> dict[str, Any]:
    return {name: value for name, value in entries.items() if name not in left_out}
