"""HTTP in, HTTP out: each route reads a request, asks the service, and writes the answer."""
