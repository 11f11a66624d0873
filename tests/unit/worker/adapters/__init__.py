"""Units of worker/adapters."""
