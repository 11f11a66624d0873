"""JSON Schemas of what the worker publishes, shipped as data."""
