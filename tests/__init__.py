"""Tests of all programs; each name or docstring states a fact."""
