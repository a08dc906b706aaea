"""What may go to the model and come from it. A rule is a module with a function `find`; none is imported unasked."""
