"""Cog servers as upstreams, with what Cog lacks: a queue, get and list, deadlines, signed webhooks, and restarts."""
