"""The tables of this app."""

from __future__ import annotations

from django.db import migrations, models


NAMES = (
    "real_time_notifications", "sms_notifications", "performance_monitoring", "caching_layer",
    "websocket_integration", "request_throttling",
)  # fmt: skip


def make_switches(apps, schema_editor):
    """Every switch has its row, so that the admin shows it."""
    Switch = apps.get_model("waffle", "Switch")
    for name in NAMES:
        Switch.objects.get_or_create(name=name, defaults={"active": True})


class Migration(migrations.Migration):

    initial = True

    dependencies = [("waffle", "0004_update_everyone_nullbooleanfield")]

    operations = [
        migrations.RunPython(make_switches, migrations.RunPython.noop),
        migrations.CreateModel(
            name='ProcessFigures',
            fields=[
                ('instance', models.CharField(max_length=80, primary_key=True, serialize=False)),
                ('written_at', models.DateTimeField()),
                ('figures', models.JSONField(help_text='As `web.timings` makes and reads them.')),
            ],
            options={
                'verbose_name': "process's figures",
                'verbose_name_plural': "processes' figures",
            },
        ),
    ]
