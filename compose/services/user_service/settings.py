"""Settings of the user service: those of all services, see hdms_common/settings.py."""

from hdms_common.settings import service_settings

globals().update(service_settings("user_service"))
