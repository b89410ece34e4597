"""Is it ready, is it well, and if not, why not: probes, pre-flight, diagnosis."""
