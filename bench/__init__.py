"""Measured comparisons; each prints a table and one last line. Not in the wheel."""
