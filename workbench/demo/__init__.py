"""A newcomer's first minutes: brokers that can be started here, and a stream to watch."""
