"""The tables of this app."""

from __future__ import annotations

import django.core.serializers.json
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import orders.models.proof
import orders.numbers
import simple_history.models
import web.limits
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('catalogue', '0001_initial'),
        ('customers', '0001_initial'),
        ('dispatch', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='HistoricalOrder',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('before', models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ('items', models.TextField(blank=True, default='', verbose_name='items')),
                ('priority', models.CharField(choices=[('normal', 'Normal'), ('urgent', 'Urgent')], default='normal', max_length=8, verbose_name='priority')),
                ('scheduled_date', models.DateField(verbose_name='delivery date')),
                ('time_slot', models.CharField(choices=[('anytime', 'any time'), ('morning', 'morning, 08–12'), ('afternoon', 'afternoon, 13–17'), ('evening', 'evening, 18–21')], default='anytime', max_length=12, verbose_name='time slot')),
                ('eta', models.DateTimeField(blank=True, null=True, validators=[web.limits.validate_moment], verbose_name='expected at')),
                ('delivery_address', models.CharField(blank=True, max_length=200, verbose_name='delivery address')),
                ('area', models.CharField(blank=True, editable=False, max_length=20, verbose_name='area')),
                ('notes', models.TextField(blank=True, max_length=2000, verbose_name='notes')),
                ('stop_sequence', models.PositiveSmallIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(999)], verbose_name='stop')),
                ('amount_due', models.PositiveIntegerField(default=0, editable=False, verbose_name='amount due, NT$')),
                ('amount_collected', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MaxValueValidator(10000000)], verbose_name='amount collected, NT$')),
                ('history_id', models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField()),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('customer', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='customers.customer', verbose_name='customer')),
                ('driver', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='dispatch.driver', verbose_name='driver')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('route', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='dispatch.route', verbose_name='route')),
            ],
            options={
                'verbose_name': 'historical order',
                'verbose_name_plural': 'historical orders',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='Order',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('order_number', models.CharField(editable=False, max_length=9, unique=True, verbose_name='order number')),
                ('tracking_token', models.CharField(default=orders.numbers.new_tracking_token, editable=False, max_length=16, unique=True)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('confirmed', 'Confirmed'), ('assigned', 'Assigned'), ('delivering', 'Out for delivery'), ('arriving', 'Arriving'), ('delivered', 'Delivered'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='pending', editable=False, max_length=12, verbose_name='status')),
                ('priority', models.CharField(choices=[('normal', 'Normal'), ('urgent', 'Urgent')], default='normal', max_length=8, verbose_name='priority')),
                ('attempt', models.PositiveSmallIntegerField(default=1, editable=False, verbose_name='attempt')),
                ('scheduled_date', models.DateField(verbose_name='delivery date')),
                ('time_slot', models.CharField(choices=[('anytime', 'any time'), ('morning', 'morning, 08–12'), ('afternoon', 'afternoon, 13–17'), ('evening', 'evening, 18–21')], default='anytime', max_length=12, verbose_name='time slot')),
                ('eta', models.DateTimeField(blank=True, null=True, validators=[web.limits.validate_moment], verbose_name='expected at')),
                ('delivery_address', models.CharField(blank=True, max_length=200, verbose_name='delivery address')),
                ('area', models.CharField(blank=True, editable=False, max_length=20, verbose_name='area')),
                ('notes', models.TextField(blank=True, max_length=2000, verbose_name='notes')),
                ('stop_sequence', models.PositiveSmallIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(999)], verbose_name='stop')),
                ('amount_due', models.PositiveIntegerField(default=0, editable=False, verbose_name='amount due, NT$')),
                ('amount_collected', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MaxValueValidator(10000000)], verbose_name='amount collected, NT$')),
                ('version', models.PositiveIntegerField(default=1, editable=False, verbose_name='version')),
                ('import_ref', models.CharField(blank=True, editable=False, max_length=80, null=True, unique=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='created at')),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='changed at')),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='customers.customer', verbose_name='customer')),
                ('driver', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='dispatch.driver', verbose_name='driver')),
                ('route', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='dispatch.route', verbose_name='route')),
            ],
            options={
                'verbose_name': 'order',
                'base_manager_name': 'objects',
                'verbose_name_plural': 'orders',
                'ordering': ('-id',),
            },
        ),
        migrations.CreateModel(
            name='DeliveryConfirmation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt', models.PositiveSmallIntegerField(verbose_name='attempt')),
                ('confirmation_type', models.CharField(choices=[('qr_code', 'QR code'), ('signature', 'signature'), ('photo', 'photo'), ('manual', 'manual')], max_length=12, verbose_name='proof')),
                ('cylinder_serials', models.JSONField(blank=True, default=list, verbose_name='cylinder serials')),
                ('confirmed_at', models.DateTimeField(verbose_name='confirmed at')),
                ('latitude', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-90), django.core.validators.MaxValueValidator(90)])),
                ('longitude', models.FloatField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(-180), django.core.validators.MaxValueValidator(180)])),
                ('by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='confirmations', to='orders.order', verbose_name='order')),
            ],
            options={
                'verbose_name': 'proof of delivery',
                'verbose_name_plural': 'proofs of delivery',
                'ordering': ('id',),
            },
        ),
        migrations.CreateModel(
            name='OrderItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('quantity', models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(999)], verbose_name='quantity')),
                ('unit_price', models.PositiveIntegerField(blank=True, verbose_name='unit price, NT$')),
                ('quantity_delivered', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='delivered')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='items', to='orders.order', verbose_name='order')),
                ('product', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalogue.product', verbose_name='product')),
            ],
            options={
                'verbose_name': 'item',
                'verbose_name_plural': 'items',
                'ordering': ('id',),
            },
        ),
        migrations.CreateModel(
            name='OrderStatusChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('from_status', models.CharField(blank=True, choices=[('pending', 'Pending'), ('confirmed', 'Confirmed'), ('assigned', 'Assigned'), ('delivering', 'Out for delivery'), ('arriving', 'Arriving'), ('delivered', 'Delivered'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], max_length=12, verbose_name='from')),
                ('to_status', models.CharField(choices=[('pending', 'Pending'), ('confirmed', 'Confirmed'), ('assigned', 'Assigned'), ('delivering', 'Out for delivery'), ('arriving', 'Arriving'), ('delivered', 'Delivered'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], max_length=12, verbose_name='to')),
                ('source', models.CharField(choices=[('admin', 'admin'), ('rest', 'API'), ('socket', 'socket'), ('page', 'page'), ('command', 'command'), ('import', 'import')], max_length=12, verbose_name='source')),
                ('reason', models.CharField(blank=True, max_length=500, verbose_name='reason')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='recorded at')),
                ('details', models.JSONField(blank=True, default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder, verbose_name='details')),
                ('version', models.PositiveIntegerField(verbose_name='version')),
                ('ref', models.CharField(blank=True, editable=False, max_length=64, null=True)),
                ('by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='history', to='orders.order', verbose_name='order')),
            ],
            options={
                'verbose_name': 'status change',
                'verbose_name_plural': 'status changes',
                'ordering': ('id',),
            },
        ),
        migrations.CreateModel(
            name='ProofImage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt', models.PositiveSmallIntegerField(verbose_name='attempt')),
                ('kind', models.CharField(choices=[('signature', 'signature'), ('photo', 'photo')], max_length=12, verbose_name='kind')),
                ('image', models.FileField(upload_to=orders.models.proof.file_name, verbose_name='image')),
                ('ref', models.CharField(blank=True, editable=False, max_length=64, null=True)),
                ('uploaded_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='received at')),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='proof_images', to='orders.order', verbose_name='order')),
            ],
            options={
                'verbose_name': 'signature or photo',
                'verbose_name_plural': 'signatures and photos',
                'ordering': ('id',),
            },
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['scheduled_date', 'status'], name='orders_orde_schedul_eb4d57_idx'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['status', 'priority'], name='orders_orde_status_b59646_idx'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['driver', 'status'], name='orders_orde_driver__83706f_idx'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['updated_at'], name='orders_orde_updated_94e16c_idx'),
        ),
        migrations.AddConstraint(
            model_name='deliveryconfirmation',
            constraint=models.UniqueConstraint(fields=('order', 'attempt'), name='one_confirmation_an_attempt'),
        ),
        migrations.AddConstraint(
            model_name='orderitem',
            constraint=models.UniqueConstraint(fields=('order', 'product'), name='one_item_a_product'),
        ),
        migrations.AddConstraint(
            model_name='orderitem',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gte', 1)), name='quantity_positive'),
        ),
        migrations.AddConstraint(
            model_name='orderstatuschange',
            constraint=models.UniqueConstraint(fields=('by', 'ref'), name='one_command_a_ref'),
        ),
        migrations.AddConstraint(
            model_name='proofimage',
            constraint=models.UniqueConstraint(fields=('by', 'ref'), name='one_image_a_ref'),
        ),
    ]
