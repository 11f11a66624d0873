"""The adapter over kafka-python, as far as no broker is needed."""
