"""How fast, as ratios measured side by side in one run on one machine, everything durable."""
