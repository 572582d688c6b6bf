"""Text-to-image on handwritten digits: six data providers, a base model, adapters and prompts."""
