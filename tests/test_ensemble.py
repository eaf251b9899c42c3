"""Several estimators that answer as one: trained, joined, kept, interrupted."""

import copy
import json
import pickle
import pydoc
import re
import signal
import zipfile

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from strategies import X, Y, assert_same_weights, small_classifier, small_estimator

from kseq2seq import Seq2SeqEnsemble, Seq2SeqEstimator, build_generator, load
from kseq2seq.codec import SequenceCodec
from kseq2seq.metrics import exact_match_scorer

BACKWARDS = [x[::-1] for x in X]
SIZES = {"learning_rate": 0.05, "epochs": 8, "batch_size": 4, "dropout": 0.0}


def small_ensemble(n_estimators=2, *, n_jobs=None, random_state=0, **parameters):
    return Seq2SeqEnsemble(
        small_estimator(**parameters),
        n_estimators,
        n_jobs=n_jobs,
        random_state=random_state,
    )


@pytest.fixture(scope="module")
def ensemble():
    """Three members that have learned; tests must not change it."""
    return small_ensemble(3, **SIZES, validation_fraction=0.35).fit(X, Y)


@pytest.fixture(scope="module")
def others():
    """Estimators of one vocabulary that differ in what they are."""
    return [
        small_estimator(**SIZES).fit(X, BACKWARDS),
        small_estimator(cell="gru", units=6, attention_kind=None).fit(X, BACKWARDS),
        small_estimator(copy=True, max_length=9).fit(X, BACKWARDS),
    ]


def test_help_says_where_the_settings_of_the_search_are_changed(ensemble):
    assert ensemble.beam_size == ensemble.estimator.beam_size
    found = pydoc.render_doc(Seq2SeqEnsemble, renderer=pydoc.plaintext)
    assert "That of `estimator`; ``set_params(estimator__beam_size=...)``" in found
    assert "attrgetter(" not in found


def test_members_are_those_of_their_seeds_and_share_one_vocabulary(ensemble):
    seeds = np.random.default_rng(0).integers(2**31, size=3).tolist()
    assert [member.random_state for member in ensemble.estimators_] == seeds
    alone = clone(ensemble.estimator).set_params(random_state=seeds[2]).fit(X, Y)
    assert_same_weights(alone, ensemble.estimators_[2])
    first, second, _ = ensemble.estimators_
    assert first.history_["loss"] != second.history_["loss"]
    tokens = ensemble.target_vocabulary_.tokens
    assert all(m.target_vocabulary_.tokens == tokens for m in ensemble.estimators_)
    assert not hasattr(ensemble.estimator, "models_")


def test_answers_are_those_of_a_generator_of_all_members(ensemble):
    first = ensemble.estimators_[0]
    models = [member.models_ for member in ensemble.estimators_]
    generator = build_generator(models, ensemble.max_length_, forbidden_ids=[0, 1, 2])
    expected = generator.predict(first._source.encode(X[:4]).padded(closed=True))
    found = ensemble.predict_with_scores(X[:4])
    assert [answer for answer, _ in found] == first._target.decode(expected["ids"])
    scores = [score for _, score in found]
    np.testing.assert_allclose(scores, expected["scores"], rtol=1e-5)
    weights = ensemble.attention(X[:1])[0].weights
    own = expected["attention_weights"][0, : len(weights), : weights.shape[1]]
    np.testing.assert_allclose(weights, own, atol=1e-5)


def test_it_answers_as_an_estimator_does(ensemble):
    answers = ensemble.predict(X)
    assert list(ensemble.predict(iter(X))) == answers
    right = np.mean([a == y for a, y in zip(answers, Y, strict=True)])
    assert ensemble.score(X, Y) == ensemble.measure(X, Y)["exact_match"] == right
    assert exact_match_scorer(ensemble, X, Y) == right
    (best, second), *_ = ensemble.predict_n_best(X[:2], 2)
    assert best.score >= second.score


def test_the_search_is_the_estimators_and_may_change_after_the_fit(ensemble):
    changed = copy.copy(ensemble)
    changed.estimator = clone(ensemble.estimator)
    changed.set_params(estimator__beam_size=3, estimator__forced_prefix="yy")
    assert all(answer.startswith("yy") for answer in changed.predict(X[:4]))
    ((best,),) = changed.predict_n_best(X[:1], 1)
    assert changed.predict_with_scores(X[:1]) == [best]
    changed.set_params(estimator=LogisticRegression())
    with pytest.raises(TypeError, match="estimator must be a Seq2SeqEstimator"):
        changed.predict(X)


@pytest.mark.slow
def test_members_trained_in_processes_are_the_same_to_the_bit(ensemble):
    parallel = clone(ensemble).set_params(n_jobs=2).fit(X, Y)
    pairs = zip(ensemble.estimators_, parallel.estimators_, strict=True)
    for one, other in pairs:
        assert_same_weights(one, other)
        assert one.history_ == other.history_
    assert parallel.predict_with_scores(X) == ensemble.predict_with_scores(X)


def test_a_file_a_pickle_and_a_copy_answer_the_same(ensemble, tmp_path):
    path = ensemble.save(tmp_path / "m.kseq2seq")
    loaded = load(path)
    assert loaded.get_params()["estimator__units"] == ensemble.estimator.units
    assert (loaded.n_estimators, loaded.random_state) == (3, 0)
    expected = ensemble.predict_with_scores(X)
    for twin in (loaded, pickle.loads(pickle.dumps(ensemble)), copy.deepcopy(ensemble)):
        assert twin.predict_with_scores(X) == expected
        for one, other in zip(ensemble.estimators_, twin.estimators_, strict=True):
            assert_same_weights(one, other)
            assert one.history_ == other.history_
    assert clone(ensemble).get_params()["n_estimators"] == 3


def test_a_file_has_vocabularies_and_equal_parameters_once(tmp_path):
    tokens = ["never-seen-token", *"ab"]
    embedding = np.ones((3 + 4, 4), dtype="float32")
    ensemble = small_ensemble(
        source_vocabulary=tokens,
        source_tokenizer="char",
        embedding_dim=4,
        source_embedding=embedding,
    ).fit(X, Y)
    path = ensemble.save(tmp_path / "m.kseq2seq")
    with zipfile.ZipFile(path) as archive:
        text = archive.read("model.json").decode()
        names = archive.namelist()
    assert text.count("never-seen-token") == 2  # the parameter and the vocabulary
    assert sum("parameters/source_embedding" in name for name in names) == 1
    description = json.loads(text)
    assert list(description["members"][0]["parameters"]) == ["random_state"]
    assert load(path).predict_with_scores(X) == ensemble.predict_with_scores(X)


def test_different_estimators_and_files_of_one_vocabulary_are_joined(others, tmp_path):
    file = others[1].save(tmp_path / "gru.kseq2seq")
    joined = Seq2SeqEnsemble.from_fitted([others[0], str(file), others[2]])
    assert joined.estimators_[0] is others[0]
    assert joined.n_estimators == 3 and joined.estimator.units == others[0].units
    assert joined.max_length_ == 10
    expected = joined.predict_with_scores(X)
    path = joined.save(tmp_path / "joined.kseq2seq")
    loaded = load(path)
    assert loaded.predict_with_scores(X) == expected
    assert [m.copy for m in loaded.estimators_] == [False, False, True]
    assert [m.units for m in loaded.estimators_] == [m.units for m in others]
    more = Seq2SeqEnsemble.from_fitted([path, others[0]])
    assert len(more.estimators_) == 4
    assert pickle.loads(pickle.dumps(joined)).predict_with_scores(X) == expected


def test_what_cannot_be_joined_is_named(others, tmp_path):
    join = Seq2SeqEnsemble.from_fitted
    with pytest.raises(ValueError, match="needs 2 estimators or more; got 1"):
        join(others[:1])
    with pytest.raises(ValueError, match="needs 2 estimators or more; got 0"):
        join([])
    with pytest.raises(ValueError, match="from 2 to 100; got 101"):
        join(others[:1] * 101)
    with pytest.raises(ValueError, match=r"members\[1\] is not fitted"):
        join([others[0], small_estimator()])
    with pytest.raises(TypeError, match=r"members\[0\] must be a fitted Seq2Seq"):
        join([LogisticRegression(), others[0]])
    with pytest.raises(TypeError, match="members must be a list of fitted"):
        join("m.kseq2seq")
    with pytest.raises(NotFittedError):
        join([others[0], small_ensemble()])
    with pytest.raises(FileNotFoundError):
        join([others[0], tmp_path / "none"])
    classifier = small_classifier(epochs=1).fit(X, Y).save(tmp_path / "c.kseq2seq")
    with pytest.raises(ValueError, match="class SequenceClassifier; expected Seq2Seq"):
        join([others[0], classifier])


@pytest.mark.parametrize(
    ("side", "values", "changes", "message"),
    [
        ("y", ["z" + y for y in BACKWARDS], {}, "the tokens of their answers: 2 with"),
        ("X", X, {"reverse": True}, "the order of their sources: 'as they are'"),
        ("X", X, {"lowercase": True}, "the preparation of their sources"),
        ("X", X, {"unknown": "error"}, "what becomes of unknown tokens of their sour"),
        ("y", ["a b"] * 16, {"tokenizer": "word"}, "the tokenizer of their answers"),
        ("X", [(x, ["F"]) for x in X], {}, "the features of their sources"),
        ("y", [list(y) for y in BACKWARDS], {}, "the kind of their answers"),
    ],
)
def test_members_of_other_ids_are_refused(others, side, values, changes, message):
    codec, _ = SequenceCodec.learn(side, values, **{"tokenizer": "char", **changes})
    other = Seq2SeqEstimator.__new__(Seq2SeqEstimator)
    name = {"X": "_source", "y": "_target"}[side]
    other.__dict__ = {**others[0].__dict__, name: codec}
    with pytest.raises(ValueError, match=message) as met:
        Seq2SeqEnsemble.from_fitted([others[0], others[1], other])
    assert "members[0] and members[2] differ" in str(met.value)


class Interrupts(keras.callbacks.Callback):
    """Is a Ctrl-C in an epoch of a training, counted over all of them."""

    def __init__(self, training):
        super().__init__()
        self.training, self.trainings = training, 0

    def __deepcopy__(self, memo):
        return self

    def on_train_begin(self, logs=None):
        self.trainings += 1

    def on_epoch_begin(self, epoch, logs=None):
        if self.trainings == self.training and epoch:
            signal.raise_signal(signal.SIGINT)


def test_an_interrupt_keeps_the_members_that_are_done():
    ensemble = small_ensemble(4, epochs=2, callbacks=[Interrupts(3)])
    with (
        pytest.warns(UserWarning, match="training ended early"),
        pytest.warns(UserWarning, match="2 of 4 members are trained"),
    ):
        ensemble.fit(X, Y)
    assert len(ensemble.estimators_) == 2 and ensemble.interrupted_
    assert all(len(m.history_["loss"]) == 2 for m in ensemble.estimators_)
    before = ensemble.predict(X)
    ensemble.set_params(estimator__callbacks=[Interrupts(2)])
    with (
        pytest.warns(UserWarning, match="training ended early"),
        pytest.raises(KeyboardInterrupt, match="after 1 of 4 members, too few"),
    ):
        ensemble.fit(X, Y)
    assert ensemble.predict(X) == before


def test_an_interrupted_fit_resumes_from_its_members_checkpoints(tmp_path):
    path = tmp_path / "run.kseq2seq"
    whole = small_ensemble(epochs=3).fit(X, Y)
    broken = small_ensemble(epochs=3, callbacks=[Interrupts(2)])
    with (
        pytest.warns(UserWarning, match="training ended early"),
        pytest.raises(KeyboardInterrupt),
    ):
        broken.fit(X, Y, checkpoint=path)
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files == ["run.1.kseq2seq", "run.2.kseq2seq"]
    resumed = small_ensemble(epochs=3).fit(X, Y, checkpoint=path)
    for one, other in zip(whole.estimators_, resumed.estimators_, strict=True):
        assert_same_weights(one, other)
    with pytest.raises(ValueError, match=r"run\.1\.kseq2seq was written by a fit with"):
        small_ensemble(random_state=1, epochs=3).fit(X, Y, checkpoint=path)


def test_weights_and_validation_pairs_reach_every_member():
    weights = [1.0] * 12 + [0.0] * 4
    validation = X[:2], Y[:2]
    ensemble = small_ensemble(epochs=1).fit(
        X, Y, sample_weight=weights, validation_data=validation
    )
    member = ensemble.estimators_[1]
    alone = clone(member).fit(X[:12], Y[:12], validation_data=validation)
    assert_same_weights(alone, member)
    assert alone.history_["val_loss"] == member.history_["val_loss"]


def test_subwords_are_learned_once(tmp_path):
    texts = ["low lower lowest", "new newer newest"] * 8
    ensemble = small_ensemble(target_tokenizer="bpe:260", epochs=1).fit(X, texts)
    first, second = ensemble.estimators_
    assert first.target_tokenizer_ is second.target_tokenizer_
    loaded = load(ensemble.save(tmp_path / "m.kseq2seq"))
    assert loaded.predict(X) == ensemble.predict(X)


@pytest.mark.parametrize(
    ("ensemble", "error", "message"),
    [
        (Seq2SeqEnsemble(LogisticRegression()), TypeError, "must be a Seq2SeqEst"),
        (Seq2SeqEnsemble(Seq2SeqEstimator), TypeError, "must be a Seq2SeqEstimator"),
        (
            Seq2SeqEnsemble(make_pipeline(small_estimator())),
            TypeError,
            "must be a Seq2SeqEstimator",
        ),
        (small_ensemble(1), ValueError, "n_estimators must be .* from 2 to 100; got 1"),
        (small_ensemble(10**6), ValueError, "n_estimators .* got 1000000"),
        (small_ensemble("five"), TypeError, "n_estimators must be a whole number"),
        (small_ensemble(random_state=-1), ValueError, "random_state must be"),
        (small_ensemble(warm_start=True), ValueError, "trains its members anew"),
        (small_ensemble(units=0), ValueError, "units must be"),
        (small_ensemble(n_jobs=0), ValueError, "n_jobs"),
        (small_ensemble(n_jobs="two"), TypeError, "n_jobs"),
    ],
)
def test_bad_parameters_are_named_before_anything_is_trained(ensemble, error, message):
    with pytest.raises(error, match=message):
        ensemble.fit(X, Y)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        ensemble.predict(X)


def test_bad_data_is_told_as_an_estimator_tells_it():
    with pytest.raises(ValueError, match="X and y must be as long"):
        small_ensemble().fit(X, Y[:3])
    with pytest.raises(TypeError, match="each member of an ensemble reads"):
        small_ensemble().fit(zip(X, Y, strict=True), None)
    with pytest.raises(TypeError, match="X and y must be lists or arrays"):
        small_ensemble().fit(iter(X), Y)
    with pytest.raises(TypeError, match="checkpoint must be the path of a file"):
        small_ensemble().fit(X, Y, checkpoint=3)


def test_a_fitted_estimator_is_a_template_that_stays_as_it_is(others):
    template = others[0]
    before = template.predict_with_scores(X)
    ensemble = Seq2SeqEnsemble(template, 2, random_state=1)
    ensemble.set_params(estimator__epochs=1).fit(X, BACKWARDS)
    assert template.predict_with_scores(X) == before
    assert all(member is not template for member in ensemble.estimators_)


def test_a_grid_over_the_estimators_units_finds_one():
    search = GridSearchCV(
        small_ensemble(),
        {"estimator__units": [2, 3]},
        cv=[(range(8), range(8, 16))],
        error_score="raise",
    ).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    units = search.best_params_["estimator__units"]
    found = search.best_estimator_.estimators_
    assert [member.units for member in found] == [units] * 2


@pytest.mark.backends("tensorflow")
def test_an_export_answers_what_the_ensemble_answers(ensemble, tmp_path):
    import tensorflow as tf

    folder = ensemble.export(tmp_path / "exported")
    served = tf.saved_model.load(str(folder / "saved_model"))
    ids = ensemble.estimators_[0]._source.encode(X[:4]).padded(closed=True)
    answers = served.serve(tf.constant(ids))
    found = ensemble.predict_with_scores(X[:4])
    np.testing.assert_allclose(answers["scores"], [s for _, s in found], rtol=1e-4)
    drawing = copy.copy(ensemble)
    drawing.estimator = clone(ensemble.estimator).set_params(temperature=1.0)
    with pytest.raises(ValueError, match="temperature=1"):
        drawing.export(tmp_path / "other")


def changed_file(ensemble, path, change):
    """Write the ensemble's file with another description."""
    ensemble.save(path, overwrite=True)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    description = json.loads(contents["model.json"])
    change(description)
    contents["model.json"] = json.dumps(description).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def claims_members(description):
    description["members"] *= 1_000


def claims_another_member(description):
    description["members"] *= 2


def claims_one(description):
    del description["members"][1:]


def claims_estimators(description):
    description["ensemble"]["n_estimators"] = 10**6


def claims_units(description):
    description["members"][1]["parameters"]["units"] = 20_000


def claims_tokens(description):
    description["target"]["tokens"].append("new")


def has_no_members(description):
    del description["members"]


def has_no_seed(description):
    del description["ensemble"]["random_state"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (claims_members, "the number of members must be .* from 2 to 100; got 3000"),
        (claims_another_member, "the weights do not fit"),
        (claims_one, "the number of members must be .*; got 1"),
        (claims_estimators, "n_estimators must be .*; got 1000000"),
        (claims_units, "must be numbers"),
        (claims_tokens, "must be numbers"),
        (has_no_members, "members is missing"),
        (has_no_seed, "random_state is missing"),
    ],
)
def test_a_file_that_claims_what_it_has_not_is_refused_before_anything_is_built(
    ensemble, tmp_path, monkeypatch, change, message
):
    path = tmp_path / "m.kseq2seq"
    changed_file(ensemble, path, change)
    monkeypatch.setattr(Seq2SeqEstimator, "_build", None)
    with pytest.raises(ValueError, match=message) as met:
        load(path)
    assert re.match(re.escape(f"{path} is damaged"), str(met.value))


def test_an_ensemble_says_how_probable_answers_are(ensemble):
    found = ensemble.predict_with_scores(X[:3])
    answers = [answer for answer, _ in found]
    scores = [score for _, score in found]
    log_probs = ensemble.log_prob(X[:3], answers)
    np.testing.assert_allclose(log_probs, scores, rtol=1e-4, atol=1e-4)
    temperatures = [m.calibration_temperature_ for m in ensemble.estimators_]
    assert len(set(temperatures)) == 3
    mean = ensemble.calibration_temperature_
    assert mean == pytest.approx(np.prod(temperatures) ** (1 / 3))
    calibrated = np.exp(ensemble.log_prob(X[:3], answers, calibrated=True))
    found = ensemble.predict_with_scores(X[:3], probabilities=True)
    np.testing.assert_allclose([p for _, p in found], calibrated, rtol=1e-4)
    (answer,) = ensemble.predict(X[:1], prefixes=[Y[0][:1]])
    assert answer[:1] == Y[0][:1]
