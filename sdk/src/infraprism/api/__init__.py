"""The typed client of the REST API: requests are described once, sent in two ways."""
