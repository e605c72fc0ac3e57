"""The tables of this app."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Minute',
            fields=[
                ('at', models.DateTimeField(primary_key=True, serialize=False, verbose_name='begins at')),
                ('figures', models.JSONField(null=True, verbose_name='figures')),
                ('failed_requests', models.PositiveIntegerField(default=0, verbose_name='failed requests')),
            ],
            options={
                'verbose_name': 'minute',
                'verbose_name_plural': 'minutes',
                'db_table': 'system_minutes',
            },
        ),
        migrations.CreateModel(
            name='SystemMetric',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField(help_text='When the hour ended that is summed up.', unique=True, verbose_name='hour before')),
                ('metrics_json', models.JSONField(verbose_name='figures')),
                ('created_at', models.DateTimeField(verbose_name='taken at')),
            ],
            options={
                'verbose_name': 'hourly snapshot',
                'verbose_name_plural': 'hourly snapshots',
                'db_table': 'system_metrics',
                'ordering': ('-hour',),
            },
        ),
    ]
