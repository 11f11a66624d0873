"""The scorer: the model in use, and how it is replaced."""
