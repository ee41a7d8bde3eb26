"""Search: coefficients of merges, chosen on development data by what they reach."""
