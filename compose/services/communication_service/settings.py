"""Settings of the communication service: those of all services, see hdms_common/settings.py."""

from hdms_common.settings import Use, service_settings

globals().update(service_settings("communication_service", uses=[Use.channels]))
