"""What becomes of fields of Anthropic's API that are not here."""

from __future__ import annotations

from jan_server.foreign import ForeignFields, Harmless, Refused

__all__ = ["FOREIGN_MESSAGE"]

FOREIGN_MESSAGE: ForeignFields = {
    "cache_control": Harmless("prefixes are found by content"),
    "container": Refused("no code is run"),
    "context_management": Harmless("a conversation is read as it comes"),
    "diagnostics": Harmless("a label for whoever runs the server"),
    "inference_geo": Harmless("there is one place"),
    "mcp_servers": Refused("tools are run by the client", unless=([],)),
    "metadata": Harmless("a label for whoever runs the server"),
    "service_tier": Harmless("there is one"),
    "speed": Harmless("there is one"),
    "user_profile_id": Harmless("a label for whoever runs the server"),
    "betas": Harmless("the SDK's name of a header"),
    "anthropic_beta": Harmless("a header in the body, as some gateways send it"),
    "anthropic_version": Harmless("a header in the body, as some gateways send it"),
    # What a message costs is asked with the fields of the message by some.
    "max_tokens": Harmless("a count generates nothing"),
    "stream": Harmless("a count generates nothing"),
    "temperature": Harmless("a count generates nothing"),
    "top_k": Harmless("a count generates nothing"),
    "top_p": Harmless("a count generates nothing"),
    "stop_sequences": Harmless("a count generates nothing"),
    "seed": Harmless("a count generates nothing"),
}
