"""Benchmarks: `mount` times file operations on artfs and its peers; `peers` starts them, `report` prints."""
