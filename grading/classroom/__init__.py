"""Grades a class: a roster of students becomes gradebooks, a report for each of them, and a page about all."""
