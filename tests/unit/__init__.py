"""Mirrors the packages; no broker, no waiting, seconds in all."""
