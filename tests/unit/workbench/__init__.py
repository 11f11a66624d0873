"""Units of workbench."""
