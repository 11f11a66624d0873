"""One suite a seam, run on the in-memory adapter and on the real one."""
