"""SVC as its paper writes it, direction by direction, in float64."""

import numpy as np


def calibrated(merged, deltas, alpha):
    """Return a merged matrix with each singular value multiplied by its factor."""
    u, s, vt = np.linalg.svd(np.asarray(merged, float), full_matrices=False)
    result = np.zeros_like(merged, dtype=float)
    for left, size, right in zip(u.T, s, vt, strict=True):
        merged_response = left @ merged
        total = 0.0
        for delta in deltas:
            response = left @ delta
            energy = response @ response
            projection = merged_response @ response / energy if energy > 1e-12 else 0
            total += max(alpha, projection)
        result += len(deltas) / total * size * np.outer(left, right)
    return result
