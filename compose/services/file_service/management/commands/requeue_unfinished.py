from django.core.management.base import BaseCommand

from file_service.recovery import STALE_SECONDS, requeue_unfinished
from file_service.tasks import process


class Command(BaseCommand):
    help = "Queues uploads again that are unfinished without news. The worker does so at its start."

    def add_arguments(self, parser):
        parser.add_argument("--older-than", type=float, default=STALE_SECONDS, metavar="SECONDS")

    def handle(self, *arguments, older_than, **options):
        self.stdout.write(f"{requeue_unfinished(process, older_than)} queued again")
