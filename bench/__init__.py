"""Benchmarks: programs that run contenders beside each other on one stack and report ratios."""
