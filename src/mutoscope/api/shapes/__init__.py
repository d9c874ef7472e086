"""What goes out and comes in as JSON. Each shape is made from our rows here, so that nothing inside leaks by itself."""
