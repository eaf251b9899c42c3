"""What the tasks on text return."""

from __future__ import annotations

from typing import Any

Source = str | tuple[str, list[str]]
"""A text, or one with its features."""
Pairs = tuple[list[Any], list[str]]
"""Sources and targets, as many of the one as of the other."""
