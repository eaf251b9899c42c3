import numpy as np
import pytest
from matplotlib import pyplot

from kseq2seq.plotting import plot_attention, plot_history


def test_history_draws_training_and_validation():
    ax = plot_history({"loss": [2.0, 1.0, 0.5], "val_loss": [2.0, 1.5, 1.4]})
    training, validation = ax.get_lines()
    np.testing.assert_array_equal(training.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(validation.get_ydata(), [2.0, 1.5, 1.4])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")


def test_losses_over_decades_get_a_logarithmic_axis():
    assert plot_history({"loss": [2.0, 0.1, 0.001]}).get_yscale() == "log"
    assert plot_history({"loss": [2.0, 1.0, 0.0]}).get_yscale() == "linear"


def test_plots_use_the_axes_they_are_given():
    _, (left, right) = pyplot.subplots(1, 2)
    assert plot_history({"loss": [1.0]}, ax=left) is left
    assert plot_attention(np.eye(2), "ab", "xy", ax=right) is right


def test_attention_has_the_source_across_and_the_answer_down():
    weights = np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])
    ax = plot_attention(weights, ["a", " ", "<end>"], ["x", "y"])
    np.testing.assert_array_equal(ax.get_images()[0].get_array(), weights)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "␣", "<end>"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["x", "y"]


def test_tokens_are_no_formulas():
    ax = plot_attention(np.ones((1, 1)), ["$x^$"], [r"$\frac$"])
    ax.figure.canvas.draw()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 2\); got \(2, 1\)"):
        plot_attention(np.ones((2, 1)), "ab", "x")
    with pytest.raises(ValueError, match="nothing to draw"):
        plot_attention(np.ones((0, 2)), "ab", "")
    with pytest.raises(ValueError, match=r"the history holds \['loss'\]; got 'los'"):
        plot_history({"loss": [1.0]}, "los")
