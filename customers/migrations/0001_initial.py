"""The tables of this app."""

from __future__ import annotations

import customers.phones
import django.core.serializers.json
import django.core.validators
import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Customer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('phone', customers.phones.PhoneField(blank=True, db_index=True, max_length=32, verbose_name='telephone')),
                ('phone2', customers.phones.PhoneField(blank=True, max_length=32, verbose_name='second telephone')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='e-mail')),
                ('address', models.CharField(max_length=200, verbose_name='address')),
                ('area', models.CharField(blank=True, help_text="If empty, the area is taken from the address.", max_length=20, verbose_name='area')),
                ('latitude', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-90), django.core.validators.MaxValueValidator(90)])),
                ('longitude', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-180), django.core.validators.MaxValueValidator(180)])),
                ('notes', models.TextField(blank=True, max_length=2000, verbose_name='notes')),
                ('language', models.CharField(choices=[('zh-hant', 'Traditional Chinese'), ('en', 'English')], default='zh-hant', max_length=8, verbose_name='language')),
                ('sms_opt_out', models.BooleanField(default=False, verbose_name='no SMS at all')),
                ('sms_confirmed', models.BooleanField(default=True, verbose_name='SMS: order confirmed')),
                ('sms_on_the_way', models.BooleanField(default=True, verbose_name='SMS: driver on the way')),
                ('sms_arriving', models.BooleanField(default=True, verbose_name='SMS: driver arriving')),
                ('sms_delivered', models.BooleanField(default=True, verbose_name='SMS: order delivered')),
                ('sms_changes', models.BooleanField(default=True, verbose_name='SMS: failed, cancelled or rescheduled')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('user', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='customer', to=settings.AUTH_USER_MODEL, verbose_name='account')),
            ],
            options={
                'verbose_name': 'customer',
                'base_manager_name': 'objects',
                'verbose_name_plural': 'customers',
                'ordering': ('name', 'id'),
            },
        ),
        migrations.CreateModel(
            name='HistoricalCustomer',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('before', models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('phone', customers.phones.PhoneField(blank=True, max_length=32, verbose_name='telephone')),
                ('phone2', customers.phones.PhoneField(blank=True, max_length=32, verbose_name='second telephone')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='e-mail')),
                ('address', models.CharField(max_length=200, verbose_name='address')),
                ('area', models.CharField(blank=True, help_text="If empty, the area is taken from the address.", max_length=20, verbose_name='area')),
                ('latitude', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-90), django.core.validators.MaxValueValidator(90)])),
                ('longitude', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-180), django.core.validators.MaxValueValidator(180)])),
                ('notes', models.TextField(blank=True, max_length=2000, verbose_name='notes')),
                ('language', models.CharField(choices=[('zh-hant', 'Traditional Chinese'), ('en', 'English')], default='zh-hant', max_length=8, verbose_name='language')),
                ('sms_opt_out', models.BooleanField(default=False, verbose_name='no SMS at all')),
                ('sms_confirmed', models.BooleanField(default=True, verbose_name='SMS: order confirmed')),
                ('sms_on_the_way', models.BooleanField(default=True, verbose_name='SMS: driver on the way')),
                ('sms_arriving', models.BooleanField(default=True, verbose_name='SMS: driver arriving')),
                ('sms_delivered', models.BooleanField(default=True, verbose_name='SMS: order delivered')),
                ('sms_changes', models.BooleanField(default=True, verbose_name='SMS: failed, cancelled or rescheduled')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('history_id', models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField()),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='account')),
            ],
            options={
                'verbose_name': 'historical customer',
                'verbose_name_plural': 'historical customers',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
    ]
