"""Reports: tables and pictures of the scores of many systems."""
