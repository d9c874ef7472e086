"""The REST API: routes translate between HTTP and the services, and decide nothing themselves."""
