"""The periodic program: a stretch of the log in, a model artefact out, promoted or not."""
