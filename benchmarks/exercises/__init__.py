"""Exercises with known answers: ``python -m benchmarks.exercises``."""
