"""Model cards in the hub's format, licences, and publishing."""
