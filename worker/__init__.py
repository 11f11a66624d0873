"""The always-on program: a log of observations in, a log of anomalies out; never imports torch."""
