"""Who is asking: accounts of the app's users, API keys, and the principal that every request acts as."""
