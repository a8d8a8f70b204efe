"""Settings of the file service: those of all services, see hdms_common/settings.py."""

from hdms_common.settings import Use, service_settings

globals().update(service_settings("file_service", uses=[Use.broker]))
