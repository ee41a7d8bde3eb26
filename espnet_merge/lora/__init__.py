"""Low-rank adapters of Whisper experts."""
