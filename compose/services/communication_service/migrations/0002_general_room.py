"""A room to begin with."""

from django.db import migrations


def add(apps, schema_editor):
    apps.get_model("communication_service", "Room").objects.get_or_create(
        name="general", defaults={"title": "General"}
    )


class Migration(migrations.Migration):
    dependencies = [("communication_service", "0001_initial")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
