"""Model files that lie are answered or refused by errors of ours."""

import json

import hostile
import pytest

from kseq2seq import (
    Seq2SeqEstimator,
    SequenceClassifier,
    SequenceForecaster,
    SequenceRegressor,
    load,
)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return hostile.valid(tmp_path_factory.mktemp("valid"))


class Built(Exception):
    """All that a file says was found to be right."""


@pytest.mark.parametrize(
    "name", ["texts", "classes", "subwords", "ensemble", "values", "series"]
)
def test_every_value_of_a_description_is_checked(paths, name, tmp_path, monkeypatch):
    """Whatever it is, it is right or refused before anything is built."""

    def build(*_, **__):
        raise Built

    kinds = (Seq2SeqEstimator, SequenceClassifier)
    for kind in (*kinds, SequenceRegressor, SequenceForecaster):
        monkeypatch.setattr(kind, "_build", build)
    contents = hostile.members(paths[name])
    description = json.loads(contents["model.json"])
    places = [place for place in hostile.places(description) if "arrays" not in place]
    path = tmp_path / "m.kseq2seq"
    wrong = [(place, value) for place in places for value in hostile.ODD]
    refused = 0
    for place, value in wrong[:: len(wrong) // 300]:
        changed = hostile.replaced(description, place, value)
        path.write_bytes(hostile.described(contents, changed))
        with pytest.raises((ValueError, Built)) as met:
            load(path)
        refused += met.type is not Built
    assert refused > 100


@pytest.mark.parametrize("kind", hostile.KINDS)
def test_hostile_files_are_answered_or_refused(paths, tmp_path, kind):
    """Some of each kind; ``python hostile.py FOLDER 3000`` meets many more."""
    found = set()
    for number, (name, content) in enumerate(hostile.of_kind(kind, paths, 8, seed=0)):
        path = tmp_path / str(number)
        path.write_bytes(content)
        found.add(hostile.meet(path, name))
    assert False in found
