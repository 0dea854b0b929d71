"""Underbudget: the most accurate convolutional network within a latency budget on the device at hand."""
