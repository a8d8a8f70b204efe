"""Tries each connection of the service and says what failed, where, why and how long it took."""

import json
import sys

from django.conf import settings
from django.core.management.base import BaseCommand

from hdms_common.checks import checks_of_service, run_checks


class Command(BaseCommand):
    help = "Database through PgBouncer, cache, broker, channel layer: exit code 1 when one of them fails."
    requires_system_checks = ()

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")

    def handle(self, *arguments, **options):
        reports = run_checks(checks_of_service())
        if options["json"]:
            told = {"service": settings.HDMS_SERVICE, "checks": [each.as_json() for each in reports]}
            self.stdout.write(json.dumps(told, indent=2))
        else:
            for report in reports:
                self.tell(report)
        if not all(report.ok for report in reports):
            sys.exit(1)

    def tell(self, report):
        outcome = "ok" if report.ok else "FAILED"
        self.stdout.write(
            f"{report.name:<9} {outcome:<6} {report.where}  {report.ms:.1f} ms  {report.detail}".rstrip()
        )
        if not report.ok:
            self.stdout.write(f"          cause:  {report.cause}")
            self.stdout.write(f"          remedy: {report.remedy}")
