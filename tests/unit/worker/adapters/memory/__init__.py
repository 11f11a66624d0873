"""The adapter in memory: what it promises beyond its ports."""
