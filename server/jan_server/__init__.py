"""The engine over HTTP: an OpenAI-compatible API in a thin shell."""
