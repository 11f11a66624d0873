"""Units of worker."""
