"""Units of workbench/demo."""
