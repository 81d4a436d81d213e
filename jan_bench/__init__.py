"""Measures models, engines and servers. What `jan bench` runs; knows the engine, not the server."""
