"""One file for each thing outside the process; only composition roots name them."""
