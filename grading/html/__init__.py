"""The report as one HTML file: the grade, the criteria, and a timeline of every experiment."""

from grading.html.page import render_html

__all__ = ["render_html"]
