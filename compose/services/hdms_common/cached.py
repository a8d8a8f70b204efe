"""Cached answers that are dropped all at once: their keys name a generation, and a change begins a new one.

Who reads takes the generation before asking the database, so that what a change has made old is never stored
under the new one. A change that the cache could not be told of is told before this process reads it again;
other processes may show the old answer until its timeout.
"""

import hashlib
import secrets
import threading

from django.core.cache import cache
from django.db import transaction

from hdms_common import connections


class CachedAnswers:
    def __init__(self, name, seconds):
        self.generation_key = f"{name}:generation"
        self.name = name
        self.seconds = seconds
        self.lock = threading.Lock()
        self.untold = False

    def generation(self):
        """None while the cache cannot be asked, or not be trusted."""
        if self.untold and not self.begin_anew():
            return None
        found = cache.get(self.generation_key)
        if found is None:
            cache.add(self.generation_key, secrets.token_hex(8), timeout=None)
            found = cache.get(self.generation_key)
        return found

    def get_or_make(self, question, make):
        """(answer, whether it came from the cache)."""
        generation = self.generation()
        if generation is None:
            return make(), False
        key = f"{self.name}:{generation}:{hashlib.sha256(question.encode()).hexdigest()[:32]}"
        answer = cache.get(key)
        if answer is not None:
            return answer, True
        answer = make()
        cache.set(key, answer, self.seconds)
        return answer, False

    def begin_anew(self):
        with self.lock:
            self.untold = True
            cache.set(self.generation_key, secrets.token_hex(8), timeout=None)
            self.untold = connections.cache.failed is not None
            return not self.untold

    def changed(self):
        """To be called in the transaction of a change: the answers made before it are dropped behind it."""
        transaction.on_commit(self.begin_anew)
