"""Files as logs."""
