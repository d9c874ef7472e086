"""A procedural painter: turns the words of a prompt into a layered scene with numpy and Pillow. It is not AI."""
