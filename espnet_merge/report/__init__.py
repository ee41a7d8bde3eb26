"""Reports: tables and pictures of many systems, from their scores."""
