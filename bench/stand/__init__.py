"""What benches and end-to-end tests stand on: whole programs, real topics, labelled telemetry."""
