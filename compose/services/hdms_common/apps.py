from django.apps import AppConfig


class HdmsCommonConfig(AppConfig):
    name = "hdms_common"

    def ready(self):
        """Tells the connections where they lead, so that their log lines can say it."""
        from django.conf import settings

        from hdms_common import connections

        connections.database.place = settings.HDMS_DATABASE_PLACE
        connections.cache.place = settings.HDMS_CACHE_PLACE
        connections.broker.place = getattr(settings, "HDMS_BROKER_PLACE", "")
        connections.channels.place = getattr(settings, "HDMS_CHANNELS_PLACE", "")
