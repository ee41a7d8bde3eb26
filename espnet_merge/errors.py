"""The one exception that means: the user can mend this."""


class InputError(ValueError):
    """Bad input or arguments.

    The message is one line: what (a file, tensor or parameter), which rule it
    breaks, the value found, and what to do. The command line prints it and exits
    with 2; every other exception is a defect of ours and exits with 1.
    """
