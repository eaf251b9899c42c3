import numpy as np
import pytest
from matplotlib import pyplot

from kseq2seq.plotting import (
    plot_accuracy_by_position,
    plot_attention,
    plot_forecast,
    plot_history,
    plot_images,
)


def shown(axis):
    """Return the labels that stand on an axis."""
    return [label for label in axis.get_ticklabels() if label.get_text()]


def assert_labels_lie_apart(ax):
    ax.figure.canvas.draw()
    for axis in (ax.xaxis, ax.yaxis):
        boxes = [label.get_window_extent() for label in shown(axis)]
        assert boxes
        for i, box in enumerate(boxes):
            assert box.count_overlaps(boxes[i + 1 :]) == 0


def attention(source, target, ax=None):
    """Draw attention that is as long as its tokens."""
    weights = np.full((len(target), len(source)), 1 / len(source))
    return plot_attention(weights, source, target, ax=ax)


CHARACTERS = [" " if i % 6 == 5 else chr(97 + i % 26) for i in range(500)]
WORDS = ["the", "antidisestablishmentarianism", ".", "Wörter", "of", "Mgq"] * 50


def test_history_draws_training_and_validation():
    ax = plot_history({"loss": [2.0, 1.0, 0.5], "val_loss": [2.0, 1.5, 1.4]})
    training, validation = ax.get_lines()
    np.testing.assert_array_equal(training.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(validation.get_ydata(), [2.0, 1.5, 1.4])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")


@pytest.mark.parametrize("metric", ["exact_match", "val_exact_match"])
def test_history_draws_what_only_validation_has(metric):
    ax = plot_history({"loss": [2.0, 1.0], "val_exact_match": [0.25, 0.75]}, metric)
    (line,) = ax.get_lines()
    np.testing.assert_array_equal(line.get_ydata(), [0.25, 0.75])
    assert line.get_label() == "validation"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["validation"]
    assert ax.get_ylabel() == "exact match"


def test_history_draws_only_validation_where_the_metric_says_so():
    ax = plot_history({"loss": [2.0, 1.0], "val_loss": [3.0, 2.5]}, "val_loss")
    (line,) = ax.get_lines()
    np.testing.assert_array_equal(line.get_ydata(), [3.0, 2.5])
    assert line.get_label() == "validation"


@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_epochs_are_whole(epochs):
    ax = plot_history({"loss": [1.0] * epochs})
    ax.figure.canvas.draw()
    ticks = ax.get_xticks()
    assert sum((ticks >= 1) & (ticks <= epochs)) >= 1
    np.testing.assert_array_equal(ticks, np.round(ticks))


def test_losses_over_decades_get_a_logarithmic_axis():
    assert plot_history({"loss": [2.0, 0.1, 0.001]}).get_yscale() == "log"
    assert plot_history({"loss": [2.0, 1.0, 0.0]}).get_yscale() == "linear"
    assert plot_history({"loss": [0.01, 0.4, 0.9]}).get_yscale() == "linear"


def test_plots_use_the_axes_they_are_given():
    _, (left, right, third, fourth) = pyplot.subplots(1, 4)
    assert plot_history({"loss": [1.0]}, ax=left) is left
    assert plot_attention(np.eye(2), "ab", "xy", ax=right) is right
    assert plot_accuracy_by_position([1.0], ax=third) is third
    assert plot_images(np.ones((1, 1, 2, 2)), ax=fourth) is fourth
    assert pyplot.get_fignums() == [1]


def test_attention_has_the_source_across_and_the_answer_down():
    weights = np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])
    ax = plot_attention(weights, ["a", " ", "<end>"], ["x", "y"])
    np.testing.assert_array_equal(ax.get_images()[0].get_array(), weights)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "·", "<end>"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["x", "y"]


def test_tokens_are_no_formulas():
    ax = plot_attention(np.ones((1, 1)), ["$x^$"], [r"$\frac$"])
    ax.figure.canvas.draw()
    assert [label.get_text() for label in shown(ax.xaxis)] == ["$x^$"]
    assert not shown(ax.xaxis)[0].get_parse_math()


@pytest.mark.parametrize(
    ("token", "label"),
    [
        (7, "7"),
        ("fifteen letters", "fifteen letters"),
        ("sixteen letters!", "sixteen letter…"),
        ("\n", r"\n"),
        ("a\tb", r"a\tb"),
        ("\xa0", r"\xa0"),
        ("   ", "···"),
        ("a b", "a b"),
    ],
)
def test_a_label_is_one_short_line(token, label):
    ax = plot_attention(np.ones((1, 1)), [token], [token])
    for axis in (ax.xaxis, ax.yaxis):
        assert [text.get_text() for text in shown(axis)] == [label]


@pytest.mark.parametrize(
    ("tokens", "rotations"),
    [
        (["a", "12"], [0, 0]),
        ([*CHARACTERS[:9], "<end>"], [0] * 9 + [90]),
        (["the", "antidisestablishment"], [90, 90]),
        ([*CHARACTERS[:60], "<end>"], [0] * 60 + [90]),
    ],
)
def test_letters_stand_upright_and_words_run_upwards(tokens, rotations):
    labels = attention(tokens, "x").get_xticklabels()
    assert [label.get_rotation() for label in labels] == rotations


def test_all_tokens_of_a_short_source_are_named():
    ax = attention(["d", "i", "c", "e", "<end>"], "abc")
    ax.figure.canvas.draw()
    assert len(shown(ax.xaxis)) == 5


def test_axes_may_share_their_labels():
    _, axes = pyplot.subplots(2, 2, sharex=True, sharey=True)
    for ax in axes.flat:
        attention("abc", "xy", ax=ax)
    assert shown(axes[1, 0].xaxis) and not shown(axes[0, 0].xaxis)
    _, axes = pyplot.subplots(1, 2, sharey=True)
    plot_images(np.ones((2, 1, 2, 2)), ["a", "b"], ax=axes[1])


def test_words_stand_upright_where_all_fit():
    _, ax = pyplot.subplots(figsize=(12, 3))
    labels = attention(["seven", "words", "<end>"], "x", ax=ax).get_xticklabels()
    assert [label.get_rotation() for label in labels] == [0, 0, 0]


@pytest.mark.parametrize(
    ("largest", "top"), [(0.9, 1.0), (0.5, 1.0), (0.2, 0.2), (0.0, 1.0)]
)
def test_the_scale_follows_small_weights(largest, top):
    weights = np.array([[largest, largest / 2]])
    (picture,) = plot_attention(weights, "ab", "x").get_images()
    assert picture.get_clim() == (0, top)


def test_sixty_words_are_named_on_a_figure_that_fits_a_screen():
    ax = attention(WORDS[:60], WORDS[:60])
    assert_labels_lie_apart(ax)
    for axis in (ax.xaxis, ax.yaxis):
        assert len(shown(axis)) == 60
        assert shown(axis)[0].get_fontsize() >= 9
    assert max(ax.figure.get_size_inches()) < 16


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (CHARACTERS[:10], CHARACTERS[:10]),
        (CHARACTERS[:80], CHARACTERS[:60]),
        (WORDS[:50], WORDS[:40]),
        (["10", "WW"] * 5, ["10", "WW"] * 5),
    ],
    ids=["10x10", "80x60", "50x40 words", "ids"],
)
def test_what_fits_is_named_token_by_token(source, target):
    ax = attention(source, target)
    assert_labels_lie_apart(ax)
    assert len(shown(ax.xaxis)) == len(source)
    assert len(shown(ax.yaxis)) == len(target)


@pytest.mark.parametrize("tokens", [CHARACTERS[:300], WORDS[:200]])
@pytest.mark.parametrize("side", ["x", "y"])
def test_of_too_many_tokens_every_nth_is_named(tokens, side):
    ax = attention(tokens, "ab") if side == "x" else attention("ab", tokens)
    size = ax.figure.get_size_inches()
    assert size[0] == 20 if side == "x" else size[1] == 16
    assert_labels_lie_apart(ax)
    axis = ax.xaxis if side == "x" else ax.yaxis
    texts = [label.get_text() for label in axis.get_ticklabels()]
    named = [i for i, text in enumerate(texts) if text]
    step = named[1]
    assert 2 <= step <= 4
    assert named == list(range(0, len(tokens), step))
    for i in named:
        assert texts[i].rstrip("…") == {" ": "·"}.get(tokens[i], tokens[i][:14])


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_labels_lie_apart_on_axes_of_any_size(layout):
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 4), layout=layout)
    for ax, source, target in (
        (left, WORDS[:40], CHARACTERS[:30]),
        (right, CHARACTERS[:30], WORDS[:30]),
    ):
        attention(source, target, ax=ax)
    for ax in (left, right):
        assert_labels_lie_apart(ax)
    before = len(shown(left.xaxis))
    figure.set_size_inches(4, 2.5)
    for ax in (left, right):
        assert_labels_lie_apart(ax)
    assert len(shown(left.xaxis)) < before < 40


def test_a_nearer_view_names_every_token():
    ax = attention(CHARACTERS[:200], CHARACTERS[:5])
    ax.set_xlim(99.5, 110.5)
    ax.figure.canvas.draw()
    texts = [label.get_text() for label in ax.get_xticklabels()[100:111]]
    assert texts == [{" ": "·"}.get(token, token) for token in CHARACTERS[100:111]]
    assert ax.xaxis.get_major_formatter().format_data_short(104.2) == CHARACTERS[104]


def test_one_long_answer_leaves_room_for_the_picture():
    ax = attention(WORDS[:3], WORDS[1:2])
    ax.figure.canvas.draw()
    assert min(ax.get_window_extent().size) > 60


def test_accuracy_is_drawn_over_positions_from_one():
    ax = plot_accuracy_by_position(np.array([1.0, 0.5, 0.0]))
    (line,) = ax.get_lines()
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(line.get_ydata(), [1.0, 0.5, 0.0])
    bottom, top = ax.get_ylim()
    assert -0.1 < bottom < 0 and 1 < top < 1.1
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("position", "accuracy")
    assert ax.get_legend() is None


def test_accuracies_of_several_models_have_a_legend():
    ax = plot_accuracy_by_position({"GRU": [1.0, 0.5], "LSTM": (0.9, 0.8, 0.7)})
    gru, lstm = ax.get_lines()
    np.testing.assert_array_equal(gru.get_ydata(), [1.0, 0.5])
    np.testing.assert_array_equal(lstm.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(lstm.get_ydata(), [0.9, 0.8, 0.7])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["GRU", "LSTM"]


@pytest.mark.parametrize(
    ("y_true", "answers"),
    [
        (["ab", "cd"], ["ab", "cx"]),
        ([["a", "b"], ["c", "d"]], [["a", "b"], ["c", "x"]]),
        (np.array([[1, 2], [3, 4]]), np.array([[1, 2], [3, 5]])),
    ],
)
def test_accuracies_are_those_of_answers(y_true, answers):
    (line,) = plot_accuracy_by_position(answers, y_true).get_lines()
    np.testing.assert_array_equal(line.get_ydata(), [1.0, 0.5])
    both = {"right": y_true, "streamed": iter(answers)}
    right, streamed = plot_accuracy_by_position(both, y_true=y_true).get_lines()
    np.testing.assert_array_equal(right.get_ydata(), [1.0, 1.0])
    np.testing.assert_array_equal(streamed.get_ydata(), [1.0, 0.5])


@pytest.mark.parametrize("positions", [1, 2, 30])
def test_positions_are_whole(positions):
    ax = plot_accuracy_by_position([1.0] * positions)
    ax.figure.canvas.draw()
    ticks = ax.get_xticks()
    assert sum((ticks >= 1) & (ticks <= positions)) >= 1
    np.testing.assert_array_equal(ticks, np.round(ticks))


@pytest.mark.parametrize(
    ("accuracies", "error", "message"),
    [
        ([], ValueError, r"accuracies must be of shape \(positions,\), .* got \(0,\)"),
        ({}, ValueError, "nothing to draw"),
        ([[1.0, 0.5]], ValueError, r"got \(1, 2\)"),
        (0.5, ValueError, r"got \(\)"),
        ({"GRU": [0.5, 50]}, ValueError, r"accuracies\['GRU'\] .* 1; got 0.5 to 50"),
        ([0.5, -0.1], ValueError, "finite numbers from 0 to 1; got -0.1 to 0.5"),
        ([0.5, np.nan], ValueError, "finite numbers from 0 to 1"),
        (["ab", "cd"], TypeError, "pass the right ones as y_true"),
        ("high", TypeError, "accuracies must be numbers from 0 to 1 .* got 'high'"),
        ({"a": [[1], [1, 1]]}, TypeError, r"accuracies\['a'\] .* without gaps"),
    ],
)
def test_what_is_no_accuracy_is_refused(accuracies, error, message):
    with pytest.raises(error, match=message):
        plot_accuracy_by_position(accuracies)
    assert not pyplot.get_fignums()


def test_images_stand_in_a_grid_with_gaps_between():
    images = np.arange(2 * 3 * 2 * 4).reshape(2, 3, 2, 4) / 47
    ax = plot_images(images)
    (picture,) = ax.get_images()
    grid = np.ma.filled(picture.get_array(), np.nan)
    assert grid.shape == (2 * 2 + 1, 3 * 4 + 2)
    np.testing.assert_array_equal(grid[:2, :4], images[0, 0])
    np.testing.assert_array_equal(grid[:2, 5:9], images[0, 1])
    np.testing.assert_array_equal(grid[3:, 10:], images[1, 2])
    assert np.isnan(grid[2]).all()
    assert np.isnan(grid[:, [4, 9]]).all()
    assert np.isnan(grid).sum() == 14 + 2 * 5 - 2
    assert (picture.get_cmap().name, picture.get_clim()) == ("gray", (0, 1))


def test_images_have_no_ticks_and_labels_beside_their_rows():
    ax = plot_images(np.zeros((3, 2, 5, 5)), ["masked", "$restored", "true"])
    ax.figure.canvas.draw()
    assert [t.get_text() for t in shown(ax.yaxis)] == ["masked", "$restored", "true"]
    np.testing.assert_array_equal(ax.get_yticks(), [2, 8, 14])  # rows of 5, gaps of 1
    assert not len(ax.get_xticks())
    assert all(tick.tick1line.get_markersize() == 0 for tick in ax.yaxis.majorTicks)
    assert not len(plot_images(np.zeros((3, 2, 5, 5))).get_yticks())


@pytest.mark.parametrize("shape", [(3, 10, 8, 8), (120, 3, 8, 8), (2, 60, 28, 28)])
def test_a_grid_stays_of_a_size_to_look_at(shape):
    ax = plot_images(np.zeros(shape), [f"row {i}" for i in range(shape[0])])
    ax.figure.canvas.draw()
    width, height = ax.figure.get_size_inches()
    assert 1 < width <= 20 and 0.4 < height <= 16
    boxes = [label.get_window_extent() for label in shown(ax.yaxis)]
    assert len(boxes) >= 2
    assert all(box.count_overlaps(boxes[i + 1 :]) == 0 for i, box in enumerate(boxes))
    area = ax.get_window_extent()
    dpi = ax.figure.dpi
    assert area.width > 0.5 * width * dpi or area.height > 0.8 * height * dpi


def test_a_wide_grid_shrinks_in_proportion():
    width, height = plot_images(np.zeros((2, 60, 8, 8))).figure.get_size_inches()
    assert width == 20
    assert 2 / 3 < height < 1  # Two rows of a third of an inch, as are 60 in 20.


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (np.ones((3, 8, 8)), None, ValueError, r"\(rows, columns, .* got \(3, 8, 8\)"),
        (np.ones((0, 3, 8, 8)), None, ValueError, r"got \(0, 3, 8, 8\)"),
        (np.full((1, 1, 2, 2), 16), None, ValueError, "from 0 to 1; got 16 to 16"),
        (np.full((1, 1, 2, 2), np.nan), None, ValueError, "finite numbers from 0 to 1"),
        ("picture", None, TypeError, "images must be numbers .* got 'picture'"),
        (np.ones((2, 1, 2, 2)), ["one"], ValueError, r"be 2 labels, .* got \['one'\]"),
        (np.ones((2, 1, 2, 2)), "ab", ValueError, "be 2 labels, .* got 'ab'"),
    ],
)
def test_what_is_no_grid_is_refused(images, labels, error, message):
    with pytest.raises(error, match=message):
        plot_images(images, labels)
    assert not pyplot.get_fignums()


def test_a_map_is_drawn_as_its_weights_and_tokens_are():
    drawn = plot_attention((np.eye(2), ["a", "b"], ["x", "y"]))
    (picture,) = drawn.get_images()
    np.testing.assert_array_equal(picture.get_array(), np.eye(2))
    assert [label.get_text() for label in shown(drawn.xaxis)] == ["a", "b"]
    assert [label.get_text() for label in shown(drawn.yaxis)] == ["x", "y"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([np.eye(2)], "takes one map, .* got array"),
        (
            [[(np.eye(2), "ab", "xy")]],
            r"takes one map, as estimator.attention\(X\)\[0\]",
        ),
        ([np.eye(2), "ab"], "target_tokens must be .* got None"),
    ],
)
def test_weights_without_tokens_and_several_maps_are_refused(given, message):
    with pytest.raises(TypeError, match=message):
        plot_attention(*given)
    assert not pyplot.get_fignums()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 2\); got \(2, 1\)"):
        plot_attention(np.ones((2, 1)), "ab", "x")
    with pytest.raises(ValueError, match="nothing to draw"):
        plot_attention(np.ones((0, 2)), "ab", "")
    with pytest.raises(ValueError, match=r"weights must be finite; weights\[0, 1\]"):
        plot_attention(np.array([[1, np.nan]]), "ab", "x")
    with pytest.raises(TypeError, match="ax must be axes of matplotlib.*got 'top'"):
        plot_attention(np.ones((1, 2)), "ab", "x", ax="top")
    with pytest.raises(ValueError, match="one of the history's, 'loss'; got 'los'"):
        plot_history({"loss": [1.0]}, "los")
    with pytest.raises(ValueError, match="one of the history's, .* got 'val_loss'"):
        plot_history({"loss": [1.0]}, "val_loss")
    with pytest.raises(ValueError, match="nothing to draw: 'bleu' has no epoch"):
        plot_history({"val_bleu": []}, "bleu")


def test_a_forecast_stands_behind_its_history():
    bounds = [3.0, 4.0], [5.0, 8.0]
    ax = plot_forecast([1, 2, 3], [4.0, 6.0], truth=[4.5], interval=bounds)
    history, truth, forecast = ax.get_lines()[:3]
    assert history.get_xdata().tolist() == [0, 1, 2]
    assert truth.get_xdata().tolist() == [3] and truth.get_ydata().tolist() == [4.5]
    assert forecast.get_xdata().tolist() == [3, 4]
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    assert {(3.0, 3.0), (4.0, 8.0)} <= {tuple(corner) for corner in corners.tolist()}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "history",
        "truth",
        "interval",
        "forecast",
    ]
    given = pyplot.subplots()[1]
    assert plot_forecast([[1.0], [2.0]], [3.0], ax=given, label="ours") is given


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [1.0]), r"history must be numbers \(len,\), and not empty"),
        (([1.0], [[1.0, 2.0]]), "draw one at a time"),
        (([1.0], ["x"]), "forecast must be numbers"),
        (([1.0], [1.0], ([1.0],)), "interval must be a pair"),
        (([1.0], [1.0], ([1.0], [1.0, 2.0])), "as many as the 1 values .* 1 and 2"),
    ],
)
def test_what_is_no_forecast_is_refused(arguments, message):
    history, forecast, *interval = arguments
    options = {"interval": interval[0]} if interval else {}
    with pytest.raises((ValueError, TypeError), match=message):
        plot_forecast(history, forecast, **options)
