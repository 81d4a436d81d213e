"""Requests over HTTP to any server that speaks OpenAI's API, and when their tokens came."""
