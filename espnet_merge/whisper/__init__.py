"""The Whisper model: features, prompts and the forward pass."""
