"""Benchmarks: `mount` and `sdk` time artfs beside its peers; `peers` starts them, `report` prints."""
