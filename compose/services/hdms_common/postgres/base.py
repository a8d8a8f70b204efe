"""Django's PostgreSQL, telling hdms_common.connections when it is lost and when it answers."""

from django.db.backends.postgresql import base
from django.db.utils import InterfaceError, OperationalError

from hdms_common import connections
from hdms_common.database import is_connection_failure


def watched(execute, sql, params, many, context):
    try:
        result = execute(sql, params, many, context)
    except (OperationalError, InterfaceError) as error:
        if is_connection_failure(error):
            connections.database.lost(error)
        raise
    connections.database.answered()
    return result


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.execute_wrappers.append(watched)

    def ensure_connection(self):
        if self.connection is not None:
            return
        try:
            super().ensure_connection()
        except (OperationalError, InterfaceError) as error:
            connections.database.lost(error)
            raise
