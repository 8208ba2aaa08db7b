"""One module a page, or a few that belong together: what it asks the services, what it shows."""
