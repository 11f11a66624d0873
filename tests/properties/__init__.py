"""What holds for any input and any interleaving, by generated cases."""
