"""Latency: timing, kernels, tables that carry their own proof, and the calibrated model read off them."""
