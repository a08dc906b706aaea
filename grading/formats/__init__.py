"""The formats that other programs read. Each module has a `render`, a function of a report alone."""
