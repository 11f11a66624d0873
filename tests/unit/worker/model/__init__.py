"""Units of worker/model."""
