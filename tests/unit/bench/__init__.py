"""The benches' own counting, which must not look away."""
