"""Pictures from plain arrays: curves, attention, forecasts, image grids.

Each function draws on the axes that it is given, or on new ones, and returns them.
"""

from kseq2seq.plotting.curves import plot_accuracy_by_position, plot_history
from kseq2seq.plotting.forecast import plot_forecast
from kseq2seq.plotting.heatmap import plot_attention
from kseq2seq.plotting.image_grid import plot_images

__all__ = [
    "plot_accuracy_by_position",
    "plot_attention",
    "plot_forecast",
    "plot_history",
    "plot_images",
]
