"""gunicorn -c python:hdms_common.gunicorn: one process with threads: a lost connection is logged once.

More processes by WEB_CONCURRENCY, which gunicorn reads itself.
"""

worker_class = "gthread"
threads = 8
timeout = 60
graceful_timeout = 10
keepalive = 5
worker_tmp_dir = "/dev/shm"
accesslog = None
errorlog = "-"
loglevel = "warning"
control_socket_disable = True
