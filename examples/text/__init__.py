"""Text generation over State of the Union speeches: six corpora, a base decoder, adapters, prompts."""
