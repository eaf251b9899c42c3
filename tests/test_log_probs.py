"""How probable answers are: their log-probabilities, and calibrated probabilities."""

import copy

import numpy as np
import pytest
from strategies import make_models

from kseq2seq import Seq2SeqEstimator, build_generator, load
from kseq2seq.answering import scoring, source_batches
from kseq2seq.builders import build_ensemble
from kseq2seq.generation import build_scorer
from kseq2seq.metrics import expected_calibration_error
from kseq2seq.ragged import RaggedIds
from kseq2seq.training import fit_temperature
from kseq2seq.vocabulary import END

SOURCES = ["abc", "d", "", "dcba", "ab", "bb"]


@pytest.fixture(scope="module")
def calibrated(reversed_words):
    """An estimator fitted with a held-back part; tests must not change it."""
    estimator = Seq2SeqEstimator(
        units=16, learning_rate=0.01, epochs=5, batch_size=16, random_state=0
    )
    return estimator.fit(*reversed_words)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_found_answers_have_the_log_probabilities_that_are_their_scores(
    calibrated, beam_size
):
    estimator = copy.deepcopy(calibrated).set_params(beam_size=beam_size)
    answers, scores = zip(*estimator.predict_with_scores(SOURCES), strict=True)
    np.testing.assert_allclose(
        estimator.log_prob(SOURCES, answers), scores, rtol=1e-4, atol=1e-4
    )
    per_token = estimator.log_prob(SOURCES, answers, per_token=True)
    assert [len(each) for each in per_token] == [len(a) + 1 for a in answers]
    sums = [each.sum() for each in per_token]
    np.testing.assert_allclose(sums, scores, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["tokens", "integers"])
def test_answers_of_every_kind_have_log_probabilities(kind):
    X = [["a", "b"], ["b"], ["a", "a"]] * 4
    y = {"tokens": [["x"], ["y", "y"], []] * 4, "integers": np.arange(12).reshape(6, 2)}
    y = np.tile([[1, 2], [2, 2], [3, 1]], (4, 1)) if kind == "integers" else y[kind]
    estimator = Seq2SeqEstimator(units=4, epochs=1, random_state=0).fit(X, y)
    found = estimator.predict_with_scores(X)
    answers = [answer for answer, _ in found]
    log_probs = estimator.log_prob(X, answers)
    np.testing.assert_allclose(log_probs, [score for _, score in found], atol=1e-4)
    if kind == "integers":
        assert len(estimator.log_prob(X[:1], [[1, 2]], per_token=True)[0]) == 2
        assert estimator.log_prob(X[:1], [[1, 9]]) == -np.inf
        with pytest.raises(ValueError, match="2 wide at first; y.0. has 3"):
            estimator.log_prob(X[:1], [[1, 2, 3]])


def test_the_answers_of_an_ensemble_have_their_averaged_probabilities():
    models = build_ensemble([make_models(seed=1), make_models(seed=2)])
    source_ids = np.array([[4, 5, 3], [6, 3, 0]])
    found = build_generator(models, 4).predict(source_ids, verbose=0)
    scored = build_scorer(models).predict([source_ids, found["ids"]], verbose=0)
    np.testing.assert_allclose(
        scored["log_probs"].sum(axis=1), found["scores"], rtol=1e-4
    )
    assert not scored["log_probs"][found["ids"] == 0].any()


def test_log_probabilities_depend_on_no_batch_and_on_no_compiling(
    calibrated, monkeypatch
):
    y = ["cba", "d", "", "abcdabcdabcd", "b", "bb"]  # one is longer than max_length_
    together = calibrated.log_prob(SOURCES, y)
    alone = [calibrated.log_prob([a], [b])[0] for a, b in zip(SOURCES, y, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-4)
    monkeypatch.setattr(scoring, "MOST_LOGITS", 1)
    np.testing.assert_allclose(together, calibrated.log_prob(SOURCES, y), rtol=1e-4)
    monkeypatch.setattr(source_batches, "SOURCES_WORTH_COMPILING", 1)
    monkeypatch.setattr(scoring, "MOST_LOGITS", 2**24)
    monkeypatch.setattr(scoring, "BATCH_SIZE", 4)
    np.testing.assert_allclose(together, calibrated.log_prob(SOURCES, y), rtol=1e-4)


def test_what_the_model_can_never_answer_has_no_probability(calibrated):
    per_token = calibrated.log_prob(["ab", "", ""], ["bq", "", "a"], per_token=True)
    assert np.isfinite(per_token[0]).tolist() == [True, False, True]
    assert per_token[1].tolist() == [0.0]
    assert calibrated.log_prob(["ab", "", ""], ["bq", "", "a"]).tolist() == [
        -np.inf,
        0.0,
        -np.inf,
    ]
    strict = Seq2SeqEstimator(units=4, epochs=1, unknown="error").fit(
        ["ab", "ba"] * 8, ["x", "y"] * 8
    )
    with pytest.raises(ValueError, match=r"y\[1\].*'q'"):
        strict.log_prob(["a", "b"], ["x", "q"])


def test_an_unknown_token_is_worth_an_unk_where_training_showed_one():
    X, y = ["ab", "ba", "aa", "bb"] * 4, ["x", "y", "x", "z"] * 4
    y[-1] = "w"
    estimator = Seq2SeqEstimator(units=4, epochs=1, min_frequency=2, random_state=0)
    estimator.fit(X, y)
    other, another = estimator.log_prob(["ab", "ab"], ["q", "w"])
    assert np.isfinite(other) and other == another


def test_log_prob_says_what_is_wrong(calibrated):
    with pytest.raises(ValueError, match="2 in X and 1 in y"):
        calibrated.log_prob(["a", "b"], ["a"])
    with pytest.raises(TypeError, match="y held strings"):
        calibrated.log_prob(["a"], [["a"]])
    with pytest.raises(TypeError, match="per_token must be True or False"):
        calibrated.log_prob(["a"], ["a"], per_token="yes")


class FixedLogits:
    """A model whose first logits depend on the source alone, and that then ends."""

    output_shape = (None, None, 12)

    def __init__(self, logits):
        self.logits = logits  # (sources, ids)

    def __call__(self, inputs, training):
        logits = np.full((*inputs[1].shape, 12), -30.0, "float32")
        logits[..., END] = 30.0
        logits[:, 0] = self.logits[inputs[0][:, 0]]
        return logits


def test_a_temperature_is_found_again():
    """Of answers that were drawn at half the temperature, it is the half."""
    rng = np.random.default_rng(0)
    logits = np.full((9, 12), -30.0)
    logits[:, 4:] = rng.normal(size=(9, 8))
    sources = rng.integers(4, 9, size=5000)
    probs = np.exp(logits / 0.5)[sources]
    draws = rng.random((5000, 1)) * probs.sum(axis=1, keepdims=True)
    drawn = (probs.cumsum(axis=1) < draws).sum(axis=1)
    sides = [RaggedIds.of(ids[:, None].tolist()) for ids in (sources, drawn)]
    weights = np.ones(5000)
    found = fit_temperature(FixedLogits(logits), *sides, weights)
    assert found == pytest.approx(0.5, rel=0.1)
    weights[1::2] = 0  # those that count alone make it
    rows = np.arange(0, 5000, 2)
    halves = [side.take(rows) for side in sides]
    expected = fit_temperature(FixedLogits(logits), *halves, weights[rows])
    assert fit_temperature(FixedLogits(logits), *sides, weights) == pytest.approx(
        expected, rel=0.2
    )


def test_what_was_always_right_is_not_taken_for_certain():
    logits = np.full((9, 12), -30.0)
    logits[:, 4:6] = 0.0, 1.0
    tens = RaggedIds.of([[5]] * 10)
    temperature = fit_temperature(FixedLogits(logits), tens, tens, np.ones(10))
    surest = 1 / (1 + np.exp(-1 / temperature))
    assert surest == pytest.approx(10 / 11, rel=0.05)  # 10 were right, as if of 11


def test_probabilities_are_those_at_the_calibration_temperature(calibrated):
    temperature = calibrated.calibration_temperature_
    assert 0.05 < temperature < 1  # label smoothing made the model too modest
    found = calibrated.predict_with_scores(SOURCES, probabilities=True)
    answers = [answer for answer, _ in found]
    assert answers == calibrated.predict(SOURCES)
    expected = np.exp(calibrated.log_prob(SOURCES, answers, calibrated=True))
    np.testing.assert_allclose([p for _, p in found], expected, rtol=1e-4)
    plain = np.exp(calibrated.log_prob(SOURCES, answers))
    assert expected[answers.index("")] == plain[answers.index("")] == 1
    assert (expected != plain).sum() == len(answers) - answers.count("")
    (best,) = calibrated.predict_n_best(["abc"], 3, probabilities=True)
    y = [answer for answer, _ in best]
    expected = np.exp(calibrated.log_prob(["abc"] * 3, y, calibrated=True))
    np.testing.assert_allclose([p for _, p in best], expected, rtol=1e-4)
    streamed = calibrated.predict_with_scores(iter(SOURCES), probabilities=True)
    assert dict(streamed) == pytest.approx(dict(found))


def test_calibrating_changes_no_weight(reversed_words, calibrated):
    plain = Seq2SeqEstimator(**{**calibrated.get_params(), "calibrate": False})
    plain.fit(*reversed_words)
    assert plain.calibration_temperature_ == 1
    for one, other in zip(
        plain.models_.training.get_weights(),
        calibrated.models_.training.get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_a_few_held_back_pairs_are_too_few_to_calibrate_on(reversed_words):
    """One pair made 0.14 of a temperature that a hundred put at 0.75."""
    X, y = reversed_words
    estimator = Seq2SeqEstimator(units=4, epochs=1, random_state=0)
    few, enough = ((X[:n], y[:n]) for n in (4, 5))
    assert estimator.fit(X, y, validation_data=few).calibration_temperature_ == 1
    assert estimator.fit(X, y, validation_data=enough).calibration_temperature_ != 1


def test_the_calibration_is_kept_in_files_and_pickles(calibrated, tmp_path):
    found = calibrated.predict_with_scores(["abc"], probabilities=True)
    loaded = load(calibrated.save(tmp_path / "m.kseq2seq"))
    for other in (loaded, copy.deepcopy(calibrated)):
        temperature = calibrated.calibration_temperature_
        assert other.calibration_temperature_ == temperature
        assert other.predict_with_scores(["abc"], probabilities=True) == found


def test_without_validation_pairs_nothing_is_calibrated(fitted):
    assert fitted.calibration_temperature_ == 1
    (found,) = fitted.predict_with_scores(["abc"], probabilities=True)
    (log_prob,) = fitted.log_prob(["abc"], ["cba"])
    assert found.score == pytest.approx(np.exp(log_prob))


def test_the_calibration_error_is_that_of_its_bins():
    right = [True, False, True, True]
    probabilities = [0.1, 0.15, 0.9, 1.0]  # two bins of ten: 0.1 to 0.2, 0.9 to 1
    error = expected_calibration_error(right, probabilities, num_bins=10)
    assert error == pytest.approx((abs(1 - 0.25) + abs(2 - 1.9)) / 4)
    with pytest.raises(ValueError, match="numbers from 0 to 1"):
        expected_calibration_error([True], [-0.1])
    with pytest.raises(ValueError, match=r"\(2,\) and \(1,\)"):
        expected_calibration_error([True, False], [0.1])
