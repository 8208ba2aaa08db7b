"""How the anomaly detector is judged: labelled series, injected spend, CPU."""
