"""Folders that make this grader an autograder of Gradescope or PrairieLearn."""
