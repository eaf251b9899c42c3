"""The laws of models over real values: gaps, values known ahead, quantiles."""

import itertools

import keras
import numpy as np
import pytest
from strategies import label, make_models

from kseq2seq import build_generator, build_seq2seq
from kseq2seq.batching import ValueBatches, shift_values
from kseq2seq.builders import build_ensemble, side_by_side
from kseq2seq.builders.architecture import Architecture
from kseq2seq.builders.weight_shapes import seq2seq_shapes
from kseq2seq.ragged import RaggedValues
from kseq2seq.training import PointError, ValueLoss, with_teacher_forcing

SIZES = {"source_features": 3, "target_features": 2}
STEPS = 4
GAPS = {"mask_nan": True}
KNOWN = {"decoder_features": 2, "quantiles": [0.1, 0.5, 0.9]}
KINDS = [
    {**SIZES, **what, "attention": attention, "decoder": decoder, "cell": cell}
    for what, attention, (decoder, cell) in itertools.product(
        ({}, GAPS, KNOWN, {**GAPS, **KNOWN, "bidirectional": True, "num_layers": 2}),
        (False, "general"),
        (("autoregressive", "lstm"), ("repeat", "gru")),
    )
] + [{**SIZES, **GAPS, **KNOWN, "attention": "dot", "input_feeding": True}]
EACH = pytest.mark.parametrize("settings", KINDS, ids=label)


def sources(settings, lengths=(5, 1, 3)):
    """Return sources of these lengths, NaN behind them where gaps may be."""
    values = np.random.default_rng(7).normal(size=(3, 5, 3)).astype("float32")
    if settings.get("mask_nan"):
        values[np.arange(5) >= np.array(lengths)[:, None]] = np.nan
    return values


def known(settings):
    """Return what is known ahead, in a list, if the models read it."""
    width = settings.get("decoder_features")
    shape = (3, STEPS, width or 1)
    values = np.random.default_rng(8).normal(size=shape).astype("float32")
    return [values] if width else []


def point(outputs):
    """Return values without the quantiles beside them."""
    outputs = np.asarray(outputs)
    return outputs[..., 0] if outputs.ndim == 4 else outputs


def answers_of(models, settings, source=None, ahead=None, **options):
    generator = build_generator(models, STEPS, **options)
    source = sources(settings) if source is None else source
    ahead = known(settings) if ahead is None else ahead
    return generator.predict([source, *ahead] if ahead else source, verbose=0)


@EACH
@pytest.mark.parametrize("first_values", ["zeros", "last"])
def test_a_generator_answers_what_training_gives_for_its_own_answers(
    settings, first_values
):
    models = make_models(**settings)
    answers = answers_of(models, settings, first_values=first_values)
    first = None
    if first_values == "last":
        places = (4, 0, 2) if settings.get("mask_nan") else (4, 4, 4)
        first = sources(settings)[np.arange(3), places, :2]
    fed = shift_values(answers["values"], first)
    outputs = models.training([sources(settings), fed, *known(settings)])
    np.testing.assert_allclose(point(outputs), answers["values"], atol=1e-5)
    if "quantiles" in settings:
        own = np.sort(np.asarray(outputs)[..., 1:], axis=-1)
        np.testing.assert_allclose(own, answers["quantiles"], atol=1e-5)


@pytest.mark.parametrize(
    "settings", [one for one in KINDS if one.get("mask_nan")], ids=label
)
def test_frames_that_are_missing_change_nothing(settings):
    models = make_models(**settings)
    together = answers_of(models, settings)["values"]
    for row, length in enumerate((5, 1, 3)):
        source = sources(settings)[row : row + 1, :length]
        ahead = [values[row : row + 1] for values in known(settings)]
        alone = answers_of(models, settings, source, ahead)["values"]
        np.testing.assert_allclose(alone[0], together[row], atol=1e-5)
    inside = np.insert(sources(settings), 1, np.nan, axis=1)
    inside[1] = np.roll(inside[1], 1, axis=0)  # its only frame stands behind a gap
    gapped = answers_of(models, settings, inside)["values"]
    np.testing.assert_allclose(gapped, together, atol=1e-5)


@EACH
def test_a_decoder_that_is_fed_its_own_values_trains_as_it_answers(settings):
    models = make_models(**settings)
    forced = with_teacher_forcing(models, 0.0, random_state=0)
    gold = np.random.default_rng(9).normal(size=(3, STEPS, 2)).astype("float32")
    inputs = [sources(settings), shift_values(gold), *known(settings)]
    answers = answers_of(models, settings)["values"]
    trained = point(forced(inputs, training=True))
    np.testing.assert_allclose(trained, answers, atol=1e-5)
    plain = models.training(inputs)
    np.testing.assert_allclose(forced(inputs, training=False), plain, atol=1e-5)


@EACH
def test_the_shapes_of_weights_are_known_before_anything_is_built(settings):
    given = {"units": 6, **settings, "attention": settings["attention"] or None}
    shapes = seq2seq_shapes(Architecture(**given))
    weights = make_models(**settings).training.weights
    assert shapes == {weight.path: tuple(weight.shape) for weight in weights}


def test_several_models_train_side_by_side_and_answer_with_their_mean():
    settings = {**SIZES, **KNOWN}
    members = [
        make_models(**settings, attention=False, seed=1),
        make_models(**settings, attention="dot", seed=2),
    ]
    inputs = [sources({}), np.zeros((3, STEPS, 2), "float32"), *known(settings)]
    each = [np.asarray(member.training(inputs)) for member in members]
    joined = side_by_side([member.training for member in members])
    np.testing.assert_allclose(joined(inputs), np.concatenate(each, axis=-1), atol=1e-6)
    targets = np.ones((3, STEPS, 2))
    loss = ValueLoss("absolute_error", KNOWN["quantiles"])
    parts = sum(float(loss(targets, outputs)) for outputs in each)
    np.testing.assert_allclose(float(loss(targets, joined(inputs))), parts, rtol=1e-5)
    average = build_ensemble(members).training(inputs)
    np.testing.assert_allclose(average, np.mean(each, axis=0), atol=1e-6)


def test_a_model_saved_by_keras_loads_without_custom_objects(tmp_path):
    settings = {**SIZES, **GAPS, **KNOWN, "attention": "dot"}
    models = make_models(**settings)
    generator = build_generator(models, STEPS, first_values="last")
    inputs = [sources(settings), *known(settings)]
    expected = generator.predict(inputs, verbose=0)
    generator.save(tmp_path / "generator.keras")
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    found = loaded.predict(inputs, verbose=0)
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_the_cost_of_quantiles_by_hand():
    """Twice the pinball loss, the mean over levels; NaN costs and counts nothing."""
    y = np.array([[[1.0], [np.nan], [2.0]]])
    outputs = np.array([[[[3.0, 0.0, 2.0]], [[9.0, 9.0, 9.0]], [[2.0, 2.0, 2.0]]]])
    # Of the first frame: errors -2, 1 and -1; levels 0.25 and 0.75.
    quantiles = 2 * (0.25 * 1 + 0.25 * 1) / 2
    weights = np.array([[1.0, 1.0, 3.0]])
    for name, cost in (("squared_error", 4.0), ("absolute_error", 2.0), ("huber", 1.5)):
        loss = ValueLoss(name, [0.25, 0.75])
        assert float(loss(y, outputs)) == pytest.approx((cost + quantiles) / 2)
        weighted = float(loss(y, outputs, weights))
        assert weighted == pytest.approx((cost + quantiles) / 4)
    metric = PointError(3)
    metric.update_state(y, outputs, weights)
    assert float(metric.result()) == pytest.approx(2 / 4)


def test_least_cost_is_at_the_quantile():
    y = np.arange(1.0, 101.0).reshape(100, 1, 1)
    costs = {
        q: float(ValueLoss(quantiles=[0.9])(y, np.tile([[[0.0, q]]], (100, 1, 1, 1))))
        for q in (80.0, 89.9, 90.5, 91.1, 99.0)
    }
    assert min(costs, key=costs.get) == 90.5


def test_batches_of_different_lengths_with_gaps():
    series = [np.array([[1.0], [np.nan], [3.0]]), np.array([[4.0]])]
    y = np.array([[[5.0], [np.nan], [7.0]], [[np.nan], [8.0], [9.0]]])
    batches = ValueBatches(
        RaggedValues.of(series),
        y,
        decoder_features=np.ones((2, 3, 1)),
        first_values="last",
        allows_nan=True,
        batch_size=2,
        shuffle=False,
    )
    inputs, targets, weights = batches[0]
    expected = [[1.0, np.nan, 3.0], [4.0, np.nan, np.nan]]
    np.testing.assert_array_equal(inputs["source_values"][..., 0], expected)
    fed = [[3.0, 5.0, 5.0], [4.0, 0.0, 8.0]]  # the last that is there, or zero
    np.testing.assert_array_equal(inputs["decoder_input_values"][..., 0], fed)
    np.testing.assert_array_equal(targets, y)
    assert weights.tolist() == [[1.0] * 3] * 2 and inputs["decoder_features"].all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"quantiles": 0.5}, r"quantiles must be a list of .* got 0.5"),
        ({"quantiles": []}, "quantiles must be one or more"),
        ({"quantiles": [0.5, 0.1]}, r"each larger than the one before; got \[0.5, 0.1"),
        ({"quantiles": [0.0, 0.5]}, r"quantiles\[0\] must be a number above 0"),
        ({"quantiles": [0.5, 1.0]}, r"quantiles\[1\] must be .* below 1; got 1"),
        ({"decoder_features": 0}, "decoder_features must be a whole number of at"),
        ({"mask_nan": 1}, "mask_nan must be True or False"),
        (
            {"target_features": None, "target_vocabulary_size": 9, "quantiles": [0.5]},
            "quantiles is for targets of real values",
        ),
        (
            {
                "target_features": None,
                "target_vocabulary_size": 9,
                "decoder_features": 2,
            },
            "decoder_features is for targets of real values",
        ),
        (
            {"source_features": None, "source_vocabulary_size": 9, "mask_nan": True},
            "mask_nan is for sources of real values",
        ),
    ],
    ids=label,
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        build_seq2seq(**{**SIZES, "units": 4, **arguments})


def test_what_the_decoder_starts_from_must_be_there():
    models = build_seq2seq(source_features=1, target_features=2, units=4)
    with pytest.raises(ValueError, match="of which there are 2; the source has 1 feat"):
        build_generator(models, STEPS, first_values="last")
    with pytest.raises(ValueError, match="first_values must be 'zeros' or 'last'"):
        build_generator(models, STEPS, first_values="first")
    with pytest.raises(ValueError, match="ids start from START"):
        build_generator(build_seq2seq(9, 8, 4), STEPS, first_values="last")
    with pytest.raises(ValueError, match=r"first must be of shape \(3, 2\)"):
        shift_values(np.ones((3, 4, 2)), np.ones((3, 1)))
    assert shift_values(np.ones((1, 2, 1), int), np.array([[0.5]]))[0, 0, 0] == 0.5


def test_values_that_are_no_numbers_are_refused():
    models = build_seq2seq(**SIZES, **KNOWN, units=4)
    generator = build_generator(models, STEPS)
    good, ahead = sources({}), known(KNOWN)
    bad = np.where(np.arange(3) == 1, np.nan, good)
    with pytest.raises(ValueError, match=r"source_values\[0, 0, 1\] is nan"):
        generator.predict([bad, *ahead], verbose=0)
    with pytest.raises(ValueError, match="decoder_features must be finite"):
        generator.predict([good, ahead[0] * np.inf], verbose=0)
    with pytest.raises(ValueError, match=r"decoder_features must be of shape \(batch"):
        generator.predict([good, ahead[0][:, :2]], verbose=0)
    models.training.compile("adam", ValueLoss(quantiles=KNOWN["quantiles"]))
    fed = np.zeros((3, STEPS, 2))
    with pytest.raises(ValueError, match="Build the models with decoder_features=1"):
        models.training.fit([good, fed, ahead[0][..., :1]], fed, verbose=0)
    with pytest.raises(ValueError, match="y must be finite"):
        models.training.fit([good, fed, *ahead], fed * np.nan, verbose=0)
    gaps = build_seq2seq(**SIZES, **GAPS, units=4)
    with pytest.raises(ValueError, match=r"source_values\[0, 0, 0\] is inf"):
        build_generator(gaps, STEPS).predict(np.full((1, 2, 3), np.inf), verbose=0)
    gaps.training.compile("adam", "mse")
    history = gaps.training.fit([sources(GAPS), fed], fed, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_decoder_features_must_fit_the_targets():
    with pytest.raises(ValueError, match=r"\(2, 3\); got \(2, 4\)"):
        ValueBatches(
            np.ones((2, 5, 1)), np.ones((2, 3, 1)), decoder_features=np.ones((2, 4, 1))
        )


def test_an_ensemble_of_other_quantiles_is_refused():
    one = build_seq2seq(**SIZES, units=4, quantiles=[0.5])
    other = build_seq2seq(**SIZES, units=4, quantiles=[0.1, 0.5])
    with pytest.raises(ValueError, match="a frame, 1 quantiles of each, and models"):
        build_ensemble([one, other])
