"""What each service's manage.py does."""

import os
import sys


def main(service):
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{service}.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
