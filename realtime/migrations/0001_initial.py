"""The tables of this app."""

from __future__ import annotations

import django.db.models.deletion
import django.utils.timezone
import realtime.models
import web.request_id
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('dispatch', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Event',
            fields=[
                ('seq', models.BigIntegerField(primary_key=True, serialize=False, verbose_name='id')),
                ('type', models.CharField(max_length=64, verbose_name='type')),
                ('channels', models.JSONField(verbose_name='channels')),
                ('data', models.JSONField(verbose_name='data')),
                ('created_at', models.DateTimeField(db_index=True, verbose_name='at')),
                ('request_id', models.CharField(blank=True, db_default='', default='', editable=False, max_length=64, verbose_name='request id')),
            ],
            options={
                'verbose_name': 'event',
                'verbose_name_plural': 'event log',
                'ordering': ('-seq',),
            },
        ),
        migrations.CreateModel(
            name='LogHead',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('epoch', models.CharField(default=realtime.models.new_epoch, max_length=32)),
                ('seq', models.BigIntegerField(default=0)),
                ('floor', models.BigIntegerField(default=0)),
                ('past', models.JSONField(db_default=[], default=list)),
                ('origin', models.CharField(db_default='', default='', max_length=200)),
                ('stamp', models.CharField(db_default='', default='', max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name='OnlineDriver',
            fields=[
                ('driver', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='dispatch.driver')),
                ('unseen_since', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Outbox',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('type', models.CharField(max_length=64)),
                ('subject', models.CharField(max_length=64)),
                ('delta', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('request_id', models.CharField(blank=True, db_default='', default=web.request_id.current, editable=False, max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name='WebSocketConnection',
            fields=[
                ('connection_id', models.UUIDField(primary_key=True, serialize=False)),
                ('role', models.CharField(max_length=12, verbose_name='role')),
                ('endpoint', models.CharField(max_length=12, verbose_name='endpoint')),
                ('instance', models.CharField(max_length=80, verbose_name='server')),
                ('owner', models.CharField(help_text='The connection limit counts per owner: `user:17`, `track:5`.', max_length=32)),
                ('connected_at', models.DateTimeField(verbose_name='connected at')),
                ('last_ping', models.DateTimeField(verbose_name='last seen')),
                ('user', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='account')),
            ],
            options={
                'verbose_name': 'open connection',
                'verbose_name_plural': 'open connections',
                'db_table': 'websocket_connections',
                'ordering': ('-connected_at',),
            },
        ),
        migrations.CreateModel(
            name='WebSocketTicket',
            fields=[
                ('key_hash', models.CharField(help_text='SHA-256 of the ticket, in hex.', max_length=64, primary_key=True, serialize=False)),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('session', models.CharField(blank=True, help_text='The sign-in that requested it. Signing out closes its sockets.', max_length=64)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
    ]
