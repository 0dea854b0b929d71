"""Costs that are sums of tables over few decisions of a space each: the latency model and the searcher read these."""
