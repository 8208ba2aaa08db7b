"""The dashboard: pages for people, made on the server from the same services as the API."""
