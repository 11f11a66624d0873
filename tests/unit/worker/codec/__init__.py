"""The codec: bytes to columns."""
