"""What is written nowhere twice: settings told by their classes, for readers and for editors."""
