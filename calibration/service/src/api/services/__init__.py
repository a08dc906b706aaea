"""What the endpoints rest on; nothing here knows of HTTP requests to this service."""
