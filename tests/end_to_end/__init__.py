"""Whole programs as a user runs them, on a real broker."""
