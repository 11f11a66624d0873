"""Units of discovery."""
