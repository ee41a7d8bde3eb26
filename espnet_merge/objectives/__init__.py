"""Training on several objectives at once: solvers, soups, conflict by layer."""
