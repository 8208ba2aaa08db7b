"""The contract text against the server, and the OpenAPI document against its snapshot."""
