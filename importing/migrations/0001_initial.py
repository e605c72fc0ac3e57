"""The tables of this app."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='CheckedSheet',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('token', models.CharField(max_length=43)),
                ('name', models.CharField(max_length=100)),
                ('encoding', models.CharField(max_length=20)),
                ('data', models.BinaryField()),
                ('checked_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'checked sheet',
                'verbose_name_plural': 'checked sheets',
                'default_permissions': (),
            },
        ),
    ]
