"""A page on this machine that hears a recording with many systems, side by side."""
