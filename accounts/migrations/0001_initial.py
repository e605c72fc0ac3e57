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
            name='StaffRole',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='staff_role', serialize=False, to=settings.AUTH_USER_MODEL, verbose_name='account')),
                ('role', models.CharField(choices=[('owner', 'owner'), ('manager', 'manager'), ('clerk', 'clerk')], max_length=12, verbose_name='role')),
            ],
            options={
                'verbose_name': 'role of staff',
                'verbose_name_plural': 'roles of staff',
                'constraints': [models.CheckConstraint(condition=models.Q(('role__in', ['owner', 'manager', 'clerk'])), name='role_of_staff')],
            },
        ),
    ]
