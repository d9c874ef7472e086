"""Real servers for tests and benchmarks: PostgreSQL and SeaweedFS, from wheels. Nothing in here needs pytest."""
