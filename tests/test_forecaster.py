"""SequenceForecaster: windows of time series, forecasts, backtests."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from strategies import label

import kseq2seq
from kseq2seq import SequenceForecaster
from kseq2seq.batching import Series, Windows, WindowShape
from kseq2seq.codec import Scale, find_season_lengths
from kseq2seq.datasets import make_daily_counts
from kseq2seq.metrics import coverage, mase, msis, smape
from kseq2seq.ragged import RaggedValues
from kseq2seq.training import Trainer

pandas = pytest.importorskip("pandas")

DAYS = np.arange(160)
SALES = 50 + 10 * np.sin(DAYS * 2 * np.pi / 7) + 0.05 * DAYS
SMALL = {
    "horizon": 5,
    "history": 14,
    "season_lengths": [7],
    "units": 6,
    "epochs": 1,
    "random_state": 0,
    "batch_size": 16,
}
MANY = [SALES[:60], SALES[30:120] * 3, SALES * 10 + 400]
RNG = np.random.default_rng(0)
BESIDE = [
    np.stack([np.arange(len(one) + 5) % 10 == 0, RNG.normal(size=len(one) + 5)], 1)
    for one in MANY
]
"""Of each series a holiday, known ahead, and a weather that is not."""
AHEAD = [one[-5:, :1] for one in BESIDE]


def small(**parameters):
    """Return a forecaster that is fitted in a second or two."""
    return SequenceForecaster(**{**SMALL, **parameters})


def table(series=MANY, beside=BESIDE):
    parts = [
        pandas.DataFrame(
            {
                "unique_id": name,
                "ds": pandas.date_range("2020-01-01", periods=len(one)),
                "y": one,
                "holiday": cov[: len(one), 0],
            }
        )
        for name, one, cov in zip("abc", series, beside, strict=True)
    ]
    return pandas.concat(parts, ignore_index=True)


def future_table():
    parts = [
        pandas.DataFrame(
            {
                "unique_id": name,
                "ds": pandas.date_range("2020-01-01", periods=len(one) + 5)[-5:],
                "holiday": ahead[:, 0],
            }
        )
        for name, one, ahead in zip("abc", MANY, AHEAD, strict=True)
    ]
    return pandas.concat(parts, ignore_index=True)


@pytest.mark.slow
def test_it_forecasts_a_week_with_a_trend():
    forecaster = SequenceForecaster(horizon=14, units=16, epochs=8, random_state=0)
    forecaster.fit(SALES[:-14])
    assert forecaster.season_lengths_ == [7] and forecaster.history_length_ == 28
    naive = np.abs(SALES[-21:-14][np.arange(14) % 7] - SALES[-14:]).mean()
    assert np.abs(forecaster.predict() - SALES[-14:]).mean() < naive / 2


def test_windows_by_hand():
    """Values, those of a season before, a covariate and a static one, side by side."""
    series = Series(
        RaggedValues.of([np.arange(10.0)[:, None], np.arange(20.0, 29.0)[:, None]]),
        RaggedValues.of([np.arange(100.0, 112.0)[:, None], np.ones((11, 1))]),
        np.array([[7.0], [8.0]]),
        np.array([1.0, 0.5]),
    )
    unit = Scale(np.zeros(1), np.ones(1))
    shape = WindowShape(3, 2, (2,), 2, 0, 1, unit)
    window = shape.cut(series, np.array([0]), np.array([4]))
    np.testing.assert_array_equal(
        window.source[0], [[1, 0, 101, 7], [2, 0, 102, 7], [3, 1, 103, 7]]
    )  # before the first value a season before is the mean, here 0
    np.testing.assert_array_equal(window.known[0], [[2, 104, 7], [3, 105, 7]])
    np.testing.assert_array_equal(window.base[0], [[2], [3]])
    targets = shape.targets(series, np.array([0]), np.array([4]), window)
    np.testing.assert_array_equal(targets[0], [[2], [2]])
    beyond = WindowShape(3, 3, (2,), None, 0, 1, unit)
    window = beyond.cut(series, np.array([1]), np.array([9]))
    np.testing.assert_array_equal(window.known[0, :, 0], [27, 28, 27])  # what is known
    np.testing.assert_array_equal(window.base[0], [[28]] * 3)  # the last value
    windows = Windows(series, shape, np.array([3, 3]), np.array([9, 8]))
    assert len(windows) == 11
    rows, origins = windows.places(np.array([0, 5, 6, 10]))
    assert rows.tolist() == [0, 0, 1, 1] and origins.tolist() == [3, 8, 3, 7]
    _, targets, weights = windows.batch(np.array([6, 10]), 3)
    assert weights.tolist() == [[0.5, 0.5], [0.5, 0.5], [0.0, 0.0]]
    own = WindowShape(3, 2, (), None, 0, 0, None).cut(
        series, np.array([0]), np.array([4])
    )
    assert own.scale.mean.item() == 2 and own.known.shape == (1, 2, 1)


def test_the_mean_of_the_seasons_of_a_history_by_hand():
    """The decoder is told it, and how what is known ahead was at the same frames."""
    values = np.array([5.0, 0, 1, 8, 3, np.nan, np.nan, 9, 9, 9])[:, None]
    series = Series(
        RaggedValues.of([values]),
        RaggedValues.of([np.stack([np.arange(10.0), np.ones(10)], axis=1) ** 2]),
        None,
        np.ones(1),
    )
    shape = WindowShape(5, 4, (2,), 2, 2, 1, Scale(np.zeros(1), np.ones(1)))
    window = shape.cut(series, np.array([0]), np.array([7]))
    # origin 7: frames 5 and 3, 6 and 4, then the same again, of which two are missing
    np.testing.assert_array_equal(window.base[0, :, 0], [8, 3, 8, 3])
    np.testing.assert_array_equal(
        window.known[0],
        [[0, 49, 8, 17], [0, 64, 3, 26], [0, 81, 8, 17], [0, 0, 3, 26]],
    )
    first = shape.cut(series, np.array([0]), np.array([1]))
    np.testing.assert_array_equal(first.base[0, :, 0], [0, 5, 0, 5])


def test_seasons_are_found():
    hours = np.arange(24 * 50)
    week = np.where(hours // 24 % 7 < 5, 1.0, 0.3)
    noise = np.random.default_rng(0).normal(size=len(hours))
    daily = np.sin(hours * 2 * np.pi / 24)
    assert find_season_lengths([daily * week + 0.1 * noise] * 2) == (24, 168)
    assert find_season_lengths([daily + noise * 0.3 + hours * 0.01]) == (24,)
    counts, _ = make_daily_counts(1_000, random_state=0)
    assert find_season_lengths([counts]) == (7,)  # no longer one by chance
    gaps = np.where(noise > 1, np.nan, daily)
    assert find_season_lengths([gaps]) == (24,)
    for nothing in (noise, np.cumsum(noise), np.ones(90), hours * 1.0, np.ones(3)):
        assert find_season_lengths([nothing]) == ()
    assert find_season_lengths([np.full(40, np.nan)]) == ()


KINDS = [
    {},
    {"n_estimators": 2, "quantiles": None},
    {"decoder": "autoregressive", "cell": "gru", "attention_kind": "general"},
    {"season_lengths": [], "scaling": "feature"},
    {"scaling": None, "season_lengths": [2, 7], "quantiles": [0.25, 0.75]},
]


@pytest.mark.parametrize("settings", KINDS, ids=label)
def test_forecasts_alone_together_and_from_files_are_the_same(settings, tmp_path):
    forecaster = small(past_covariates=[1], **settings)
    forecaster.fit(MANY, BESIDE, static=[[1.0], [2.0], [5.0]])
    together = forecaster.predict(covariates=AHEAD)
    assert [one.shape for one in together] == [(5,)] * 3
    given = forecaster.predict(MANY, BESIDE, static=[[1.0], [2.0], [5.0]])
    loaded = kseq2seq.load(forecaster.save(tmp_path / "forecaster.kseq2seq"))
    for other in (
        given,
        loaded.predict(covariates=AHEAD),
        pickle.loads(pickle.dumps(forecaster)).predict(covariates=AHEAD),
        copy.deepcopy(forecaster).predict(covariates=AHEAD),
    ):
        np.testing.assert_array_equal(other, together)
    alone = forecaster.predict([MANY[1]], [BESIDE[1]], static=[[2.0]])
    np.testing.assert_allclose(alone[0], together[1], rtol=1e-5)
    # What lies further back than the longest season before the history, is not read.
    far = [one[-40:] for one in MANY], [one[-45:] for one in BESIDE]
    near = forecaster.predict(*far, static=[[1.0], [2.0], [5.0]])
    np.testing.assert_allclose(near, together, rtol=1e-5)


def test_what_is_not_known_ahead_is_not_looked_at():
    forecaster = small(past_covariates=[1]).fit(MANY, BESIDE)
    other = [one.copy() for one in BESIDE]
    for one in other:
        one[-5:, 1] = 1e6
    before = forecaster.predict(MANY, BESIDE)
    np.testing.assert_array_equal(forecaster.predict(MANY, other), before)
    other[0][-1, 0] = 1 - other[0][-1, 0]
    changed = forecaster.predict(MANY, other)
    assert not np.array_equal(changed[0], before[0])
    np.testing.assert_array_equal(changed[1:], before[1:])


def test_a_table_is_forecast_as_a_table(tmp_path):
    forecaster = small().fit(table())
    found = forecaster.predict(covariates=future_table())
    assert list(found.columns) == ["unique_id", "ds", "y"]
    assert found.ds.iloc[0] == pandas.Timestamp("2020-03-01")  # 60 days later
    arrays = small().fit(MANY, [one[:, :1] for one in BESIDE])
    expected = np.concatenate(arrays.predict(covariates=AHEAD))
    np.testing.assert_allclose(found.y, expected, rtol=1e-6)
    shuffled = table().sample(frac=1, random_state=0).sort_values("unique_id")
    again = forecaster.predict(shuffled, future_table())
    pandas.testing.assert_frame_equal(again, found)
    quantiles = forecaster.predict_quantiles(covariates=future_table())
    assert "q0.025" in quantiles.columns
    bounds = forecaster.predict_interval(covariates=future_table(), level=0.8)
    assert (bounds.lower <= bounds.upper).all()
    np.testing.assert_allclose(bounds.lower, quantiles["q0.1"])
    loaded = kseq2seq.load(forecaster.save(tmp_path / "table.kseq2seq"))
    pandas.testing.assert_frame_equal(
        loaded.predict(covariates=future_table()), found, check_dtype=False
    )
    numbered = table().assign(ds=np.concatenate([np.arange(len(o)) * 2 for o in MANY]))
    forecaster.fit(numbered.drop(columns="holiday"))
    assert forecaster.predict().ds.iloc[:3].tolist() == [120, 122, 124]


def test_quantiles_and_the_bounds_between_them():
    forecaster = small(quantiles=[0.1, 0.5, 0.9]).fit(SALES)
    assert forecaster.predict().shape == (5,)
    quantiles = forecaster.predict_quantiles()
    assert quantiles.shape == (5, 3) and (np.diff(quantiles) >= 0).all()
    lower, upper = forecaster.predict_interval(level=0.4)
    np.testing.assert_allclose(lower, quantiles[:, :2].mean(axis=1))
    np.testing.assert_allclose(upper, quantiles[:, 1:].mean(axis=1))
    with pytest.raises(ValueError, match=r"needs the quantiles 0.025 and 0.975; this"):
        forecaster.predict_interval()
    with pytest.raises(ValueError, match="level must be a number above 0 and below 1"):
        forecaster.predict_interval(level=1.5)
    with pytest.raises(ValueError, match="fitted without quantiles"):
        small(quantiles=None).fit(SALES).predict_interval()


def test_several_targets_at_once():
    both = np.stack([SALES, SALES[::-1] * 2], axis=1)
    forecaster = small().fit(both)
    assert forecaster.predict().shape == (5, 2)
    assert forecaster.predict_quantiles().shape == (5, 2, 7)
    assert [one.shape for one in small().fit([both]).predict()] == [(5, 2)]


def test_a_backtest_looks_at_nothing_ahead():
    forecaster = small(epochs=2)
    found = forecaster.backtest(SALES, windows=3, step=4)
    assert found.origins.tolist() == [[147], [151], [155]]
    assert found.forecasts.shape == found.truths.shape == (3, 1, 5, 1)
    np.testing.assert_array_equal(found.truths[0, 0, :, 0], SALES[147:152])
    alone = clone(forecaster).fit(SALES[:147])
    np.testing.assert_allclose(found.forecasts[0, 0, :, 0], alone.predict(), rtol=1e-6)
    later = alone.predict(SALES[:151])
    np.testing.assert_allclose(found.forecasts[1, 0, :, 0], later, rtol=1e-6)
    changed = SALES.copy()
    changed[151:] = 0
    other = forecaster.backtest(changed, windows=3, step=4)
    np.testing.assert_array_equal(other.forecasts[:2], found.forecasts[:2])
    ours, naive = found.measures["forecaster"], found.measures["seasonal naive"]
    errors = found.truths - found.forecasts
    assert ours["mae"] == pytest.approx(np.abs(errors).mean())
    repeated = np.stack([SALES[o - 7 : o - 2] for o in (147, 151, 155)])
    expected = np.abs(repeated - found.truths[:, 0, :, 0]).mean()
    assert naive["mae"] == pytest.approx(expected)
    scale = np.abs(SALES[7:147] - SALES[:140]).mean()
    assert naive["mase"] == pytest.approx(expected / scale)
    assert found.level == pytest.approx(0.95) and 0 <= ours["coverage"] <= 1
    assert "seasonal naive" in str(found) and "mase" in str(found)
    with pytest.raises(NotFittedError):
        forecaster.predict()  # the copy was fitted
    with pytest.raises(ValueError, match="leave -40 before the first"):
        forecaster.backtest(SALES, windows=40)


def test_the_same_seed_gives_the_same_forecasts_and_validation_is_held_back():
    one, other = (small().fit(MANY).predict() for _ in range(2))
    np.testing.assert_array_equal(one, other)
    forecaster = small(validation_fraction=0.1, patience=1).fit(SALES)
    assert "val_loss" in forecaster.history_
    ended = small(validation_fraction=0.1).fit(SALES)
    # 141 windows, of which 14 are held back, and 4 more reach into them.
    changed = SALES.copy()
    changed[-18:] = 1e3
    seen = small(validation_fraction=0.1, patience=None).fit(changed)
    assert seen.history_["loss"] == ended.history_["loss"]
    with pytest.raises(ValueError, match="leaves no window to learn from"):
        small(validation_fraction=0.5).fit(SALES[:22])


@pytest.mark.parametrize(
    "odd",
    [np.full(60, 5.0), np.zeros(60), np.where(DAYS[:60] == 30, 1e6, 5.0), SALES[:8]],
    ids=["constant", "zeros", "outlier", "short"],
)
def test_odd_series_are_forecast_with_numbers(odd):
    forecaster = small(epochs=2).fit([SALES, odd])
    for one in forecaster.predict():
        assert np.isfinite(one).all()
    if odd[0] == odd[-1] == 5.0 and odd.max() == 5.0:
        np.testing.assert_allclose(forecaster.predict()[1], 5.0, atol=5)


def test_what_is_missing_is_passed_by():
    gaps = SALES.copy()
    gaps[[50, 51, 52, 158]] = np.nan
    with pytest.raises(ValueError, match=r"series\[0, 50, 0\] is nan.*missing='mask'"):
        small().fit(gaps)
    forecaster = small(missing="mask", epochs=2).fit([gaps, SALES])
    assert np.isfinite(forecaster.predict()).all()
    assert np.isfinite(forecaster.history_["loss"]).all()
    found = forecaster.backtest([gaps, SALES], windows=2)
    assert np.isfinite(found.measures["forecaster"]["mae"])


def test_a_window_without_values_is_refused_and_one_gap_is_passed_by():
    whole = small(missing="mask").fit(SALES)  # knows gaps that it has not seen
    last = SALES.copy()
    last[-2] = np.nan
    assert np.isfinite(whole.predict(last)).all()
    empty = np.concatenate([SALES, np.full(14, np.nan)])
    with pytest.raises(ValueError, match=r"series\[0\] before place 174 are all NaN"):
        whole.predict(empty)
    with pytest.raises(ValueError, match=r"series\[1\] holds nothing but NaN"):
        small(missing="mask").fit([SALES, np.full(60, np.nan)])


def test_a_fit_goes_on_with_series_of_the_same_kind():
    forecaster = small(warm_start=True).fit(table())
    with pytest.raises(ValueError, match="table of frequency 'D'; got list"):
        forecaster.fit(MANY, BESIDE)
    hourly = table()
    hourly["ds"] = pandas.Timestamp(0) + (hourly["ds"] - pandas.Timestamp(0)) / 24
    with pytest.raises(ValueError, match="frequency 'D'; got table of frequency 'h'"):
        forecaster.fit(hourly)


def test_a_checkpoint_is_of_what_stands_beside_series_too(tmp_path):
    path = tmp_path / "checkpoint.kseq2seq"
    past = {"past_covariates": ["1"], "epochs": 1}
    small(**past).fit(MANY, BESIDE, checkpoint=path)
    other = [one[::-1].copy() for one in BESIDE]
    with pytest.raises(ValueError, match="other data"):
        small(**{**past, "epochs": 2}).fit(MANY, other, checkpoint=path)


@pytest.mark.parametrize(
    ("times", "first"),
    [
        (lambda days: days.strftime("%Y-%m-%d"), "2020-06-09 00:00:00"),
        (lambda days: days.tz_localize("Europe/Berlin"), "2020-06-09 00:00:00+02:00"),
        (lambda days: days.to_period("D"), "2020-06-09 00:00:00"),
        (lambda days: np.arange(160.0), "160"),
        (lambda days: np.arange(160), "160"),
    ],
    ids=["texts", "zone", "periods", "floats", "integers"],
)
def test_times_of_every_kind_go_on_after_a_file(times, first, tmp_path):
    days = pandas.date_range("2020-01-01", periods=160)
    series = pandas.DataFrame({"unique_id": "a", "ds": times(days), "y": SALES})
    forecaster = small().fit(series)
    answers = forecaster.predict()
    assert str(answers.ds[0]) == first
    loaded = kseq2seq.load(forecaster.save(tmp_path / "f.kseq2seq"))
    pandas.testing.assert_frame_equal(loaded.predict(), answers)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unique_id": None}, "unique_id must hold texts or whole numbers; row 0 has"),
        ({"unique_id": pandas.Timestamp(0)}, "unique_id must hold texts"),
        ({"ds": pandas.NaT}, "ds must be known of each row; row 0 has none"),
        ({"ds": "31/01/2020"}, "ds must be times as ISO 8601 .* got '31/01/2020'"),
        ({"ds": ["2020-01-01T00+01:00", "2020-01-02T00+02:00"] * 155}, "all with or"),
        ({"ds": 0.5}, "ds must be times or whole numbers; got .*0.5"),
        ({"y": "x"}, "y must hold numbers; 'a' at 2020-01-01 00:00:00 has 'x'"),
        ({"holiday": "no"}, "holiday must hold numbers; 'a' at 2020-01-01"),
        ({"y": np.nan}, r"y of 'a' at 2020-01-01 00:00:00 is missing .*missing='mask'"),
    ],
)
def test_cells_that_cannot_be_are_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        small().fit(table().assign(**changes))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("horizon", 7),
        ("history", 12),
        ("season_lengths", [2]),
        ("past_covariates", [0]),
        ("scaling", "feature"),
    ],
)
def test_a_fit_that_goes_on_forecasts_as_the_first(name, value, tmp_path):
    forecaster = small(warm_start=True).fit(MANY)
    before = getattr(forecaster, name)
    with pytest.raises(ValueError, match=f"{name} was .* and is"):
        forecaster.set_params(**{name: value}).fit(MANY)
    path = forecaster.save(tmp_path / "model.kseq2seq")
    np.testing.assert_array_equal(getattr(kseq2seq.load(path), name), before)


def test_training_continues_and_resumes(tmp_path):
    forecaster = small(warm_start=True).fit(MANY)
    before = forecaster.predict()
    forecaster.fit(MANY)
    assert not np.array_equal(forecaster.predict(), before)
    path = tmp_path / "checkpoint.kseq2seq"
    whole = small(epochs=2).fit(MANY)
    small(epochs=1).fit(MANY, checkpoint=path)
    resumed = small(epochs=2).fit(MANY, checkpoint=path)
    assert len(resumed.history_["loss"]) == 2
    assert kseq2seq.load(path).predict()[0].shape == (5,)
    assert len(whole.history_["loss"]) == 2


def test_batches_and_epochs_suit_the_number_of_windows():
    """15 passes, of 32 windows a batch where there are few; 500 updates at least."""
    forecaster = SequenceForecaster()
    for windows, batch, epochs in ((1_000, 32, 15), (100, 32, 125), (10**6, 128, 15)):
        size = min(forecaster.windows_a_batch(windows), windows)
        assert size == batch
        trainer = Trainer(forecaster._training_settings())
        updates = min(-(-windows // size), 200)
        assert trainer.num_epochs(updates) == epochs
    assert SequenceForecaster(batch_size=7).windows_a_batch(10**6) == 7


def test_measures_by_hand():
    assert smape([2.0, 0.0], [1.0, 0.0]) == pytest.approx(100 / 3)
    assert mase([4.0, 8.0], [5.0, 5.0], [0.0, 1.0, 2.0, 5.0], season=2) == 2 / 3
    assert coverage([1.0, 2.0, np.nan], [0.0, 3.0, 0.0], [1.0, 4.0, 9.0]) == 0.5
    score = msis([1.0, 7.0], [0.0, 0.0], [2.0, 4.0], [0.0, 1.0, 2.0], level=0.9)
    assert score == pytest.approx((2 + 4 + 20 * 3) / 2)
    assert np.isnan(mase([1.0], [1.0], [1.0], season=3))
    with pytest.raises(ValueError, match=r"one shape.* got \(2,\) and \(1,\)"):
        smape([1.0, 2.0], [1.0])


BAD = [
    ((SALES,), {"horizon": 0}, "horizon must be a whole number from 1"),
    ((SALES,), {"horizon": 2.5}, "horizon must be a whole number"),
    ((SALES,), {"history": -1}, "history must be a whole number"),
    ((SALES,), {"season_lengths": [7, 30]}, "a season of 30 is longer than history=14"),
    ((SALES,), {"season_lengths": "weekly"}, "season_lengths, unless a list"),
    ((SALES,), {"season_lengths": [7, 7]}, "season_lengths must differ"),
    ((SALES,), {"season_lengths": [0]}, r"season_lengths\[0\] must be"),
    ((SALES,), {"quantiles": [0.1, 1.2]}, r"quantiles\[1\] must be"),
    ((SALES,), {"past_covariates": ["x"]}, r"names \['x'\], and the covariates are"),
    ((SALES,), {"past_covariates": "x"}, "past_covariates must be a list of names"),
    ((SALES[:5],), {}, r"longer than horizon=5; series\[0\] has 5"),
    (([],), {}, "series must"),
    ((["a", "b"],), {}, "series must be arrays of numbers"),
    (([SALES, np.ones((60, 2))],), {}, "the same features in all sequences"),
    ((np.where(DAYS == 3, np.inf, SALES),), {}, r"series\[0, 3, 0\] is inf"),
    ((np.ones((3, 4, 5)),), {}, r"series\[0\] must be of shape"),
    ((SALES, np.ones((100, 1))), {}, r"covariates\[0\] has 100 frames, .* least 160"),
    ((MANY, BESIDE[:2]), {}, "each of the 3 series; got 2"),
    ((MANY, [b[:, :k] for b, k in zip(BESIDE, (1, 2, 2), strict=True)]), {}, "same fe"),
]


@pytest.mark.parametrize(("data", "settings", "message"), BAD)
def test_bad_input_is_refused_by_name(data, settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        small(**settings).fit(*data)


def test_bad_tables_are_refused_by_name():
    good = table()
    late = good.drop(index=10)
    twice = pandas.concat([good, good.iloc[:1]])
    hourly = good.copy()
    hourly.loc[hourly.unique_id == "b", "ds"] = pandas.date_range(
        "2020-01-01", periods=90, freq="h"
    )
    for bad, message in (
        (late, "ds of 'a' must be evenly spaced; after 2020-01-10"),
        (twice, "ds of 'a' must differ; 2020-01-01 00:00:00 comes twice"),
        (hourly, "'a' has 'D', and 'b' has 'h'"),
        (good.drop(columns="y"), "'y' is missing"),
        (good.iloc[:2], "expected at least 3"),
        (good.iloc[:0], "must have rows"),
        (pandas.concat([good, good[["y"]]], axis=1), "once; 'y' comes twice"),
    ):
        with pytest.raises(ValueError, match=message):
            small().fit(bad)
    with pytest.raises(TypeError, match="leave covariates out"):
        small().fit(good, BESIDE)
    forecaster = small().fit(good)
    future, day = future_table(), pandas.Timedelta(days=1)
    for bad, message in (
        (None, r"covariates are missing: \['holiday'\] are known ahead"),
        (future.drop(columns="holiday"), "'holiday' is missing. It has"),
        (pandas.concat([future] * 2, axis=1), "once; 'unique_id' comes twice"),
        (future[future.unique_id != "b"], "say nothing of 'b'"),
        (future.assign(ds=future.ds.add(day)), "after 2020-02-29 00:00:00 expected"),
        (future.groupby("unique_id").head(3), "5 rows of 'a' after .* got 3"),
    ):
        with pytest.raises(ValueError, match=message):
            forecaster.predict(covariates=bad)
    with pytest.raises(TypeError, match="are a table with the columns"):
        forecaster.predict(covariates=AHEAD)
    with pytest.raises(ValueError, match="have the frequency 'D'"):
        forecaster.predict(hourly[hourly.unique_id == "b"], future)


def test_calls_that_mean_nothing_are_refused(tmp_path):
    with pytest.raises(NotFittedError):
        small().predict()
    forecaster = small(past_covariates=[1]).fit(MANY, BESIDE, static=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="needs 5 frames more of them"):
        forecaster.predict()
    with pytest.raises(ValueError, match="covariates ahead must have the 1 features"):
        forecaster.predict(covariates=[np.ones((5, 3))] * 3)
    with pytest.raises(ValueError, match="expected at least"):
        forecaster.predict(covariates=[one[:3] for one in AHEAD])
    with pytest.raises(ValueError, match="static must have 1 features.* got 0"):
        forecaster.predict(MANY, BESIDE)
    with pytest.raises(ValueError, match=r"covariates must be \['0', '1'\], as in fit"):
        forecaster.predict(MANY, static=[1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="the series of fit have their static"):
        forecaster.predict(covariates=AHEAD, static=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="static must be finite numbers"):
        small().fit(MANY, static=[1.0, np.nan, 3.0])
    plain = small().fit(SALES)
    with pytest.raises(ValueError, match=r"made from 14 frames; series\[0\] has 9"):
        plain.predict(SALES[:9])
    with pytest.raises(ValueError, match="series must have 1 targets.* got 2"):
        plain.predict(np.stack([SALES, SALES], 1))
    with pytest.raises(ValueError, match="cuts and scales windows outside"):
        plain.export(tmp_path / "exported")


def test_what_is_static_is_numbers():
    names = pandas.DataFrame({"name": ["a", "b", "c"]})
    with pytest.raises(TypeError, match="static must be numbers .3, features., a row"):
        small().fit(MANY, static=names)


def test_tables_are_measured_by_backtest():
    forecaster = small().fit(MANY)
    assert forecaster.score(MANY, [one[-5:] for one in MANY]) <= 1
    with pytest.raises(TypeError, match="these are tables. Use backtest"):
        forecaster.score(table(), MANY)


def test_measures_of_series_that_repeat_exactly_are_no_error():
    assert mase([1.0, 2.0], [1.0, 1.0], [3.0, 3.0, 3.0]) == np.inf
    assert np.isnan(mase([3.0], [3.0], [3.0, 3.0, 3.0]))
    assert msis([5.0], [1.0], [2.0], [3.0, 3.0, 3.0]) == np.inf
    found = small().backtest([SALES, np.full(60, 5.0)], windows=2)
    assert np.isfinite(found.measures["seasonal naive"]["mase"])


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_forecast_that_is_no_number_is_not_right(wrong):
    for measure in (
        lambda: smape([1.0, 2.0], [1.0, wrong]),
        lambda: mase([1.0, 2.0], [1.0, wrong], [1.0, 2.0, 4.0]),
        lambda: coverage([1.0, 2.0], [1.0, wrong], [2.0, 3.0]),
    ):
        with pytest.raises(ValueError, match=r"must be finite .*; at \(1,\) it is"):
            measure()
    assert smape([1.0, np.nan], [1.0, wrong]) == 0
