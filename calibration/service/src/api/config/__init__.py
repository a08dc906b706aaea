"""How the service is put together: settings, logging, start and stop, the application."""
