"""Training on several objectives at once: losses, solvers, conflict by layer."""
