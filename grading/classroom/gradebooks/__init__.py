"""The grades of a class in the formats that course tools read. Each module makes one, as a function of the grades."""
