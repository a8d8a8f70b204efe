"""Django's Redis cache that a request survives without: what cannot be asked is a miss."""

import redis
from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.retry import Retry

from hdms_common import connections

# Replies that tell of a mistake in our code, not of a server that is unwell.
OWN_MISTAKES = ("WRONGTYPE", "value is not an integer", "wrong number of arguments")


class ForgivingRedisCache(RedisCache):
    """While Redis is lost, one caller asks now and then (Connection.due); the others do not wait for it."""

    def __init__(self, server, params):
        # One retry at once: a pooled connection may have died with the last restart.
        options = {"retry": Retry(NoBackoff(), 1), **params.get("OPTIONS", {})}
        super().__init__(server, {**params, "OPTIONS": options})

    def ask(self, call, otherwise):
        if not connections.cache.due():
            return otherwise
        try:
            result = call()
        except (redis.RedisError, OSError) as error:
            if any(each in str(error) for each in OWN_MISTAKES):
                raise
            connections.cache.lost(error)
            return otherwise
        connections.cache.answered()
        return result

    def add(self, *arguments, **named):
        return self.ask(lambda: super(ForgivingRedisCache, self).add(*arguments, **named), False)

    def get(self, key, default=None, version=None):
        return self.ask(lambda: super(ForgivingRedisCache, self).get(key, default, version), default)

    def set(self, *arguments, **named):
        return self.ask(lambda: super(ForgivingRedisCache, self).set(*arguments, **named), None)

    def touch(self, *arguments, **named):
        return self.ask(lambda: super(ForgivingRedisCache, self).touch(*arguments, **named), False)

    def delete(self, *arguments, **named):
        return self.ask(lambda: super(ForgivingRedisCache, self).delete(*arguments, **named), False)

    def get_many(self, keys, version=None):
        return self.ask(lambda: super(ForgivingRedisCache, self).get_many(keys, version), {})

    def has_key(self, *arguments, **named):
        return self.ask(lambda: super(ForgivingRedisCache, self).has_key(*arguments, **named), False)

    def incr(self, key, delta=1, version=None):
        value = self.ask(lambda: super(ForgivingRedisCache, self).incr(key, delta, version), None)
        if value is None:
            raise ValueError(f"Key '{key}' not found.")
        return value

    def set_many(self, data, *arguments, **named):
        return self.ask(lambda: super(ForgivingRedisCache, self).set_many(data, *arguments, **named), [*data])

    def delete_many(self, *arguments, **named):
        return self.ask(lambda: super(ForgivingRedisCache, self).delete_many(*arguments, **named), None)

    def clear(self):
        return self.ask(lambda: super(ForgivingRedisCache, self).clear(), False)
