"""Text while it is made. The row stays the truth, and its output is what counts; a stream is only a view of it."""
