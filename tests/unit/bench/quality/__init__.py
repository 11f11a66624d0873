"""Unit tests of the quality bench."""
