"""schemathesis against the OpenAPI document of the real server."""
