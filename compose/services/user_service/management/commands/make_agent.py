from django.core.management.base import BaseCommand, CommandError

from user_service.models import Role, User


class Command(BaseCommand):
    help = "Makes a registered user an agent: the first one cannot be made by another agent."

    def add_arguments(self, parser):
        parser.add_argument("username")

    def handle(self, *arguments, username, **options):
        if not User.objects.filter(username=username).update(role=Role.agent):
            raise CommandError(f"there is no user {username}")
        self.stdout.write(f"{username} is an agent")
