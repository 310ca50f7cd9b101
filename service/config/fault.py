"""The error of a check of one setting."""


class Fault(ValueError):
    """A validation error with a message that is safe to show. Other ValueErrors may quote the value.

    `below` leads from the checked setting to the faulty one inside it.
    """

    def __init__(self, message: str, *, below: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.below = below
