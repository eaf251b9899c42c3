"""Measurements: ``python -m benchmarks.NAME``, one JSON object on the last line."""
