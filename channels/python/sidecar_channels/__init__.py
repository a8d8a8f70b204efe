"""A Django Channels layer that speaks to Sidecar's native channel commands (CH.*)."""

from .errors import OutcomeUnknown, SidecarError, SidecarRefused, SidecarUnavailable
from .layer import SidecarChannelLayer
from .results import GroupHistory, GroupMembers, GroupSent

__all__ = [
    "GroupHistory",
    "GroupMembers",
    "GroupSent",
    "OutcomeUnknown",
    "SidecarChannelLayer",
    "SidecarError",
    "SidecarRefused",
    "SidecarUnavailable",
]
