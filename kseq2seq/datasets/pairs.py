"""What the tasks on text return."""

from __future__ import annotations

Pairs = tuple[list[str], list[str]]
"""Sources and targets, as many of the one as of the other."""
