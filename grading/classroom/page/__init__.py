"""The page about a class: who has which grade, what fails most, and whose code is alike."""

from grading.classroom.page.page import INDEX, ClassPage, render_page

__all__ = ["INDEX", "ClassPage", "render_page"]
