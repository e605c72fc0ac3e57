"""The tables of this app."""

from __future__ import annotations

import customers.phones
import django.core.validators
import django.db.models.deletion
import web.limits
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Driver',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60, verbose_name='name')),
                ('phone', customers.phones.PhoneField(blank=True, max_length=32, verbose_name='telephone')),
                ('vehicle_plate', models.CharField(blank=True, max_length=12, verbose_name='vehicle plate')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='driver', to=settings.AUTH_USER_MODEL, verbose_name='account')),
            ],
            options={
                'verbose_name': 'driver',
                'verbose_name_plural': 'drivers',
                'ordering': ('name', 'id'),
            },
        ),
        migrations.CreateModel(
            name='DriverLocation',
            fields=[
                ('driver', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='location', serialize=False, to='dispatch.driver', verbose_name='driver')),
                ('latitude', models.FloatField(validators=[django.core.validators.MinValueValidator(-90), django.core.validators.MaxValueValidator(90)])),
                ('longitude', models.FloatField(validators=[django.core.validators.MinValueValidator(-180), django.core.validators.MaxValueValidator(180)])),
                ('speed', models.FloatField(blank=True, null=True)),
                ('heading', models.FloatField(blank=True, null=True)),
                ('accuracy', models.FloatField(blank=True, null=True)),
                ('recorded_at', models.DateTimeField(help_text='When the telephone measured this position.')),
            ],
            options={
                'verbose_name': "driver's position",
                'verbose_name_plural': "drivers' positions",
            },
        ),
        migrations.CreateModel(
            name='Route',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('date', models.DateField(db_index=True, validators=[web.limits.validate_day], verbose_name='date')),
                ('name', models.CharField(max_length=60, verbose_name='name')),
                ('status', models.CharField(choices=[('planned', 'Planned'), ('active', 'On the road'), ('completed', 'Completed'), ('cancelled', 'Cancelled')], default='planned', max_length=12, verbose_name='status')),
                ('driver', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='routes', to='dispatch.driver', verbose_name='driver')),
            ],
            options={
                'verbose_name': 'route',
                'verbose_name_plural': 'routes',
                'ordering': ('-date', 'name', 'id'),
            },
        ),
    ]
