"""The fault bench: real brokers and workers are hurt on a seeded schedule, and all is counted."""
