"""The settings of all services, written once; a service names its package and what it uses.

    globals().update(service_settings("ticket_service"))

The database is reached through PgBouncer in transaction pooling: a server connection belongs to a
transaction, not to a session. Hence no server-side cursors, no prepared statements, no start-up options.
"""

import enum

from hdms_common.environment import masked, read_environment

POOLED_CONNECTION_SECONDS = 60
# A task that ran longer would be given to another worker meanwhile.
TASK_SECONDS_MAX = 90
VISIBILITY_SECONDS = 120


class Use(enum.Enum):
    """What a service uses beyond database and cache, which all do."""

    broker = "broker"
    channels = "channels"


def service_settings(service, uses=()):
    env = read_environment(service)
    found = {
        **web_settings(env, service),
        **database_settings(env),
        **cache_settings(env),
        "LOGGING": logging_settings(env),
        "REST_FRAMEWORK": rest_settings(),
    }
    if Use.broker in uses:
        found |= broker_settings(env) | file_settings(env)
    if Use.channels in uses:
        found |= channel_settings(env, service)
        # Threads of an ASGI server come and go: a connection kept by one would be left to its end.
        found["DATABASES"]["default"]["CONN_MAX_AGE"] = 0
    found["HDMS_USES"] = tuple(uses)
    found["HDMS_ENVIRONMENT"] = frozenset(env.asked)
    return found


def web_settings(env, service):
    return {
        "HDMS_SERVICE": service.replace("_", "-"),
        "SECRET_KEY": env.str("DJANGO_SECRET_KEY"),
        "DEBUG": env.flag("DEBUG", False),
        "ALLOWED_HOSTS": env.names("ALLOWED_HOSTS", "localhost,127.0.0.1"),
        "HDMS_AUTH_REQUIRED": env.flag("AUTH_REQUIRED", False),
        "HDMS_SESSION_SECONDS": env.number("SESSION_SECONDS", 86400, least=1),
        "ROOT_URLCONF": f"{service}.urls",
        "INSTALLED_APPS": ["hdms_common", "rest_framework", service],
        "MIDDLEWARE": [
            "django.middleware.security.SecurityMiddleware",
            "hdms_common.failures.UnavailableMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        "TEMPLATES": [
            {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [], "APP_DIRS": True}
        ],
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "USE_TZ": True,
        "TIME_ZONE": "UTC",
    }


def database_settings(env):
    host = env.optional("PGBOUNCER_HOST", "pgbouncer")
    port = env.number("PGBOUNCER_PORT", 6432)
    name = env.optional("POSTGRES_DB", "hdms_db")
    user = env.optional("POSTGRES_USER", "hdms")
    default = {
        "ENGINE": "hdms_common.postgres",
        "HOST": host,
        "PORT": port,
        "NAME": name,
        "USER": user,
        "PASSWORD": env.optional("POSTGRES_PASSWORD", "hdms"),
        "CONN_MAX_AGE": POOLED_CONNECTION_SECONDS,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {
            "connect_timeout": env.number("DB_CONNECT_TIMEOUT", 20, least=1),
            "prepare_threshold": None,
            # A network that is cut says nothing: without these a query would wait for a quarter of an hour.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            "server_side_binding": False,
        },
    }
    return {
        "DATABASES": {"default": default},
        "HDMS_DB_RETRY_SECONDS": env.number("DB_RETRY_SECONDS", 15),
        "HDMS_DATABASE_PLACE": f"{host}:{port}/{name} as {user}",
    }


def cache_settings(env):
    url = env.redis_url("CACHE_URL", 0)
    seconds = env.number("CACHE_TIMEOUT", 0.5, least=0.01)
    default = {
        "BACKEND": "hdms_common.cache.ForgivingRedisCache",
        "LOCATION": url,
        "KEY_PREFIX": "hdms",
        "OPTIONS": {"socket_connect_timeout": seconds, "socket_timeout": seconds},
    }
    return {"CACHES": {"default": default}, "HDMS_CACHE_PLACE": masked(url)}


def broker_settings(env):
    """A task is acknowledged when it is done, so that a worker that dies gives it back."""
    url = env.redis_url("CELERY_BROKER_URL", 2)
    return {
        "CELERY_BROKER_URL": url,
        "CELERY_RESULT_BACKEND": env.redis_url("CELERY_RESULT_BACKEND", 2),
        "CELERY_RESULT_EXPIRES": 86400,
        "CELERY_RESULT_BACKEND_ALWAYS_RETRY": True,
        "CELERY_TASK_ACKS_LATE": True,
        "CELERY_TASK_REJECT_ON_WORKER_LOST": True,
        "CELERY_TASK_TRACK_STARTED": True,
        "CELERY_TASK_TIME_LIMIT": TASK_SECONDS_MAX,
        "CELERY_WORKER_PREFETCH_MULTIPLIER": 1,
        # What becomes of each task is told as events: Sidecar counts and shows it.
        "CELERY_WORKER_SEND_TASK_EVENTS": True,
        "CELERY_WORKER_HIJACK_ROOT_LOGGER": False,
        "CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS": False,
        "CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP": True,
        "CELERY_BROKER_CONNECTION_MAX_RETRIES": None,
        "CELERY_BROKER_TRANSPORT_OPTIONS": {
            "visibility_timeout": VISIBILITY_SECONDS,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 5,
        },
        "HDMS_BROKER_RETRY_SECONDS": env.number("BROKER_RETRY_SECONDS", 3),
        "HDMS_BROKER_PLACE": masked(url),
    }


def file_settings(env):
    return {
        "MEDIA_ROOT": env.optional("MEDIA_ROOT", "/data/media"),
        "HDMS_UPLOAD_BYTES_MAX": env.number("UPLOAD_BYTES_MAX", 25 * 1024 * 1024, least=1),
        "HDMS_CLAMAV_HOST": env.optional("CLAMAV_HOST"),
        "HDMS_CLAMAV_PORT": env.number("CLAMAV_PORT", 3310),
    }


def channel_settings(env, service):
    url = env.redis_url("CHANNEL_LAYER_URL", 1)
    layer = env.choice("CHANNEL_LAYER", "sidecar", "channels_redis")
    backends = {
        "sidecar": "sidecar_channels.SidecarChannelLayer",
        "channels_redis": "channels_redis.core.RedisChannelLayer",
    }
    return {
        "ASGI_APPLICATION": f"{service}.asgi.application",
        "CHANNEL_LAYERS": {"default": {"BACKEND": backends[layer], "CONFIG": {"hosts": [url]}}},
        "HDMS_CHANNELS_PLACE": masked(url),
    }


def logging_settings(env):
    level = env.choice("LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "filters": {"no_503": {"()": "hdms_common.failures.WithoutUnavailable"}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["no_503"]}
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True, "level": level},
            # These tell of each try; hdms_common.connections tells of changes.
            "sidecar_channels": {"level": "ERROR"},
        },
    }


def rest_settings():
    return {
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "DEFAULT_AUTHENTICATION_CLASSES": ["hdms_common.identity.TokenAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["hdms_common.identity.MayAsk"],
        "UNAUTHENTICATED_USER": None,
        "DEFAULT_PAGINATION_CLASS": "hdms_common.views.Pages",
    }
