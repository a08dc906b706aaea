"""What separates the cells of a CSV file: spreadsheets write semicolons where numbers have a decimal comma."""


def find_delimiter(text: str) -> str:
    """Return the delimiter of a CSV file, as its first line shows it."""
    header = text.partition("\n")[0]
    return ";" if header.count(";") > header.count(",") else ","
