"""The tables of this app."""

from __future__ import annotations

import django.utils.timezone
from django.db import migrations, models


NAMES = (
    "real_time_notifications", "sms_notifications", "performance_monitoring", "caching_layer",
    "websocket_integration", "request_throttling",
)  # fmt: skip


def make_switches(apps, schema_editor):
    """Creates a row, turned on, for each switch, so that the admin shows it."""
    Switch = apps.get_model("waffle", "Switch")
    for name in NAMES:
        Switch.objects.get_or_create(name=name, defaults={"active": True})


class Migration(migrations.Migration):

    initial = True

    dependencies = [("waffle", "0004_update_everyone_nullbooleanfield")]

    operations = [
        migrations.RunPython(make_switches, migrations.RunPython.noop),
        migrations.CreateModel(
            name='SystemMetric',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('span', models.CharField(choices=[('minute', 'minute'), ('hour', 'hour')], max_length=6)),
                ('at', models.DateTimeField(verbose_name='begins at')),
                ('metrics_json', models.JSONField(default=dict, verbose_name='figures')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='taken at')),
            ],
            options={
                'verbose_name': 'hourly snapshot',
                'verbose_name_plural': 'hourly snapshots',
                'db_table': 'system_metrics',
                'ordering': ('-at',),
                'constraints': [models.UniqueConstraint(fields=('span', 'at'), name='one_row_a_span')],
            },
        ),
        migrations.CreateModel(
            name='WrittenCounts',
            fields=[
                ('name', models.CharField(max_length=80, primary_key=True, serialize=False)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('processes', models.PositiveIntegerField(default=1)),
                ('counts', models.JSONField(default=dict)),
            ],
        ),
    ]
