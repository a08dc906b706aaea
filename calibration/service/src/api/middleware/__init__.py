"""Pure ASGI middleware: context variables bound here reach the endpoint and its log records."""
