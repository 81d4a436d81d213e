"""`jan bench`: a module per verb, imported when it is given."""
