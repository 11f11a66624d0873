"""Units of training."""
