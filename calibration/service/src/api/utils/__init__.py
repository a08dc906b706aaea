"""Small tools without knowledge of the service."""
