"""How well anomalies are told from normal rows on public data, ours beside nine peers."""
