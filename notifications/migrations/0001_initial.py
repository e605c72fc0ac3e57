"""The tables of this app."""

from __future__ import annotations

import django.db.models.deletion
import django.utils.timezone
import uuid
import web.request_id
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('customers', '0001_initial'),
        ('orders', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='GatewayState',
            fields=[
                ('gateway', models.CharField(max_length=24, primary_key=True, serialize=False, verbose_name='gateway')),
                ('stopped_at', models.DateTimeField(blank=True, null=True, verbose_name='stopped at')),
                ('stopped_because', models.CharField(blank=True, max_length=200, verbose_name='stopped because')),
                ('doubted_at', models.DateTimeField(blank=True, null=True, verbose_name="unknown code at")),
                ('doubted_because', models.CharField(blank=True, max_length=200, verbose_name="unknown code")),
                ('balance', models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True, verbose_name='balance in points')),
                ('balance_at', models.DateTimeField(blank=True, null=True, verbose_name="balance queried at")),
                ('last_receipt_at', models.DateTimeField(blank=True, null=True, verbose_name='last receipt at')),
            ],
            options={
                'verbose_name': 'gateway',
                'verbose_name_plural': 'gateways',
                'ordering': ('gateway',),
            },
        ),
        migrations.CreateModel(
            name='MessageTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('order_confirmed', 'order confirmed'), ('driver_on_the_way', 'driver on the way'), ('driver_arriving', 'driver arriving'), ('driver_turned_away', 'driver left without delivering'), ('order_delivered', 'order delivered'), ('delivery_failed', 'delivery failed'), ('order_cancelled', 'order cancelled'), ('order_rescheduled', 'order rescheduled')], editable=False, max_length=24, unique=True, verbose_name='kind')),
                ('is_on', models.BooleanField(default=True, verbose_name='turned on')),
                ('body_zh', models.TextField(blank=True, max_length=500, verbose_name='Chinese text')),
                ('body_en', models.TextField(blank=True, max_length=500, verbose_name='English text')),
            ],
            options={
                'verbose_name': 'message text',
                'verbose_name_plural': 'message texts',
                'ordering': ('id',),
            },
        ),
        migrations.CreateModel(
            name='NotificationHistory',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('type', models.CharField(choices=[('sms', 'SMS'), ('email', 'e-mail')], default='sms', max_length=8, verbose_name='type')),
                ('kind', models.CharField(choices=[('order_confirmed', 'order confirmed'), ('driver_on_the_way', 'driver on the way'), ('driver_arriving', 'driver arriving'), ('driver_turned_away', 'driver left without delivering'), ('order_delivered', 'order delivered'), ('delivery_failed', 'delivery failed'), ('order_cancelled', 'order cancelled'), ('order_rescheduled', 'order rescheduled')], max_length=24, verbose_name='kind')),
                ('delivery_attempt', models.PositiveSmallIntegerField(default=1, verbose_name='delivery attempt')),
                ('recipient', models.CharField(blank=True, max_length=254, verbose_name='recipient')),
                ('content', models.TextField(blank=True, verbose_name='text')),
                ('status', models.CharField(choices=[('pending', 'Waiting'), ('sending', 'Being sent'), ('sent', 'Sent'), ('delivered', 'Delivered'), ('failed', 'Failed'), ('expired', 'Expired'), ('unknown', 'Unknown'), ('suppressed', 'Not sent'), ('cancelled', 'Withdrawn')], default='pending', max_length=12, verbose_name='status')),
                ('status_reason', models.CharField(blank=True, choices=[('no_mobile', 'no mobile number and no e-mail'), ('opt_out', 'the customer opted out of this message'), ('switched_off', 'this kind is turned off'), ('not_registered', "the text contains an unregistered link or telephone number"), ('too_long', 'longer than three segments'), ('overtaken', "the content is no longer true"), ('refused', 'refused by the provider'), ('no_credit', 'the account has no points left'), ('channel_stopped', "the gateway is stopped"), ('busy', 'the provider accepts no messages at the moment'), ('unreachable', 'the provider could not be reached'), ('no_answer', "the provider did not respond"), ('interrupted', 'the sending process stopped'), ('unknown_code', "the provider responded with an unknown code"), ('no_such_number', 'this number does not exist'), ('not_reached', 'the telephone was off or out of reach')], max_length=24, verbose_name='reason')),
                ('error_message', models.CharField(blank=True, max_length=500, verbose_name='error')),
                ('gateway', models.CharField(blank=True, max_length=24, verbose_name='gateway')),
                ('provider_message_id', models.CharField(blank=True, db_index=True, max_length=80, verbose_name="provider's id")),
                ('raw_status', models.CharField(blank=True, max_length=80, verbose_name="provider's status")),
                ('segments', models.PositiveSmallIntegerField(default=0, verbose_name='segments')),
                ('points', models.DecimalField(blank=True, decimal_places=2, help_text="Points that the provider charged.", max_digits=7, null=True, verbose_name='points')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='times sent')),
                ('overruled', models.BooleanField(default=False, verbose_name='sent despite our rules')),
                ('send_after', models.DateTimeField(blank=True, null=True, verbose_name='not before')),
                ('ask_after', models.DateTimeField(blank=True, null=True, verbose_name='next query after')),
                ('request_id', models.CharField(blank=True, db_default='', default=web.request_id.current, editable=False, help_text="Search the logs for this id.", max_length=64, verbose_name='request id')),
                ('happened_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='happened at')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='created at')),
                ('claimed_at', models.DateTimeField(blank=True, null=True, verbose_name='claimed at')),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='sent at')),
                ('delivered_at', models.DateTimeField(blank=True, null=True, verbose_name='delivered at')),
                ('caused_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='caused by')),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notifications', to='customers.customer', verbose_name='customer')),
                ('order', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='notifications', to='orders.order', verbose_name='order')),
                ('requested_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='requested by')),
                ('resend_of', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='resent_as', to='notifications.notificationhistory', verbose_name='sent again from')),
            ],
            options={
                'verbose_name': 'message',
                'base_manager_name': 'objects',
                'verbose_name_plural': 'messages',
                'db_table': 'notification_history',
                'ordering': ('-created_at', '-id'),
            },
        ),
        migrations.CreateModel(
            name='StatusNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('pending', 'Waiting'), ('sending', 'Being sent'), ('sent', 'Sent'), ('delivered', 'Delivered'), ('failed', 'Failed'), ('expired', 'Expired'), ('unknown', 'Unknown'), ('suppressed', 'Not sent'), ('cancelled', 'Withdrawn')], max_length=12, verbose_name='status')),
                ('reason', models.CharField(blank=True, choices=[('no_mobile', 'no mobile number and no e-mail'), ('opt_out', 'the customer opted out of this message'), ('switched_off', 'this kind is turned off'), ('not_registered', "the text contains an unregistered link or telephone number"), ('too_long', 'longer than three segments'), ('overtaken', "the content is no longer true"), ('refused', 'refused by the provider'), ('no_credit', 'the account has no points left'), ('channel_stopped', "the gateway is stopped"), ('busy', 'the provider accepts no messages at the moment'), ('unreachable', 'the provider could not be reached'), ('no_answer', "the provider did not respond"), ('interrupted', 'the sending process stopped'), ('unknown_code', "the provider responded with an unknown code"), ('no_such_number', 'this number does not exist'), ('not_reached', 'the telephone was off or out of reach')], max_length=24, verbose_name='reason')),
                ('raw_status', models.CharField(blank=True, max_length=80, verbose_name="provider's status")),
                ('gateway', models.CharField(blank=True, max_length=24, verbose_name='gateway')),
                ('reply', models.CharField(blank=True, max_length=500, verbose_name="the customer's reply")),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='at')),
                ('by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('message', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='trail', to='notifications.notificationhistory', verbose_name='message')),
            ],
            options={
                'verbose_name': 'step',
                'verbose_name_plural': 'steps',
                'ordering': ('id',),
            },
        ),
        migrations.AddIndex(
            model_name='notificationhistory',
            index=models.Index(fields=['type', 'sent_at'], name='notificatio_type_bd22b9_idx'),
        ),
        migrations.AddIndex(
            model_name='notificationhistory',
            index=models.Index(fields=['status'], name='notificatio_status_a0c93b_idx'),
        ),
        migrations.AddIndex(
            model_name='notificationhistory',
            index=models.Index(fields=['created_at'], name='notificatio_created_307e3a_idx'),
        ),
        migrations.AddConstraint(
            model_name='notificationhistory',
            constraint=models.UniqueConstraint(condition=models.Q(('resend_of', None), models.Q(('kind', 'order_rescheduled'), _negated=True), models.Q(('status__in', ['cancelled', 'failed']), _negated=True)), fields=('order', 'kind', 'delivery_attempt', 'customer'), name='one_automatic_message'),
        ),
    ]
