"""What can go wrong between the layer and the sidecar."""


class SidecarError(Exception):
    """Base of the errors of this package."""


class SidecarUnavailable(SidecarError, ConnectionError):
    """No sidecar could be reached in time. What was asked for did not happen."""


class OutcomeUnknown(SidecarUnavailable):
    """The connection ended after the command was sent and before the answer: it may have happened."""


class SidecarRefused(SidecarError):
    """The sidecar answered with an error that has no better name; its words are the message."""
